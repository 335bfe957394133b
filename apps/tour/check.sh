#!/usr/bin/env bash
# Checks what you wrote for a chapter of the tour: check.sh CHAPTER [FILE | --solution].
# FILE is apps/tour/write/CHAPTER_….h unless you name another. Exit code 0 if all checks pass, 1 if not, 2 for wrong use.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
stop() { echo "check.sh: $1" >&2; exit 2; }

[ $# -ge 1 ] && [ $# -le 2 ] || stop "say which chapter: bash apps/tour/check.sh 1 … 8, then a file or --solution"
[[ $1 =~ ^[1-8]$ ]] || stop "there is no chapter '$1': 1 to 8"
case ${2:-} in
  '') file=$(echo "$here/write/$1"_*.h) ;;
  --solution) file=$(echo "$here/solutions/$1"_*.h) ;;
  -*) stop "unknown option '$2': a file or --solution" ;;
  *) file=$(realpath -- "$2") ;;
esac
[ -f "$file" ] || stop "${2:-$file}: no such file"

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
"${CXX:-c++}" -std=c++20 -O1 -Wall "-DEXERCISE=\"$file\"" -I "$here/write" "$here/write/check_$1.cpp" -o "$build/check" ||
  { echo "check.sh: $file does not compile" >&2; exit 1; }
code=0
timeout 60 "$build/check" || code=$?
[ $code -le 1 ] || { echo "check.sh: the program was stopped (status $code)" >&2; exit 1; }
exit $code
