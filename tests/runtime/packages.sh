#!/usr/bin/env bash
# Makes the packages and tries each in an empty folder: all rank the fixture's requests.
#   packages.sh BUILD FIXTURE
set -euo pipefail
build=$(cd "$1" && pwd) fixture=$(cd "$2" && pwd)
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cmake --build "$build" --target packages >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
(cd "$build/packages" && sha256sum --quiet -c SHA256SUMS)

python3 -m zipfile -e "$build"/packages/*.whl python
PYTHONPATH=python python3 "$tests/python_test.py" "$fixture/model.safetensors" "$fixture/requests.txt"

mkdir -p node/node_modules/seminar
tar -xzf "$build"/packages/*.tgz -C node/node_modules/seminar --strip-components=1
node "$tests/replay.mjs" node/node_modules/seminar/seminar.mjs node/node_modules/seminar/seminar.wasm \
  "$fixture/model.safetensors" "$fixture/requests.txt"
cd node
echo 'import {Seminar} from "seminar"; console.log(typeof Seminar.load)' >try.mjs
[ "$(node try.mjs)" = function ]
cd ..

request=(103,107,111 105,109,130)
expected=$("$build/bin/rank_static" "$fixture/model.safetensors" "${request[@]}")
try() {  # NAME PREFIX
  cc -I"$2/include" -o "$1.out" "$tests/../../apps/embed/rank.c" "$(find "$2" -name libseminar.a)" -lm
  [ "$("./$1.out" "$fixture/model.safetensors" "${request[@]}")" = "$expected" ] || { echo "$1: other scores" >&2; exit 1; }
  echo "$1: the same scores"
}
mkdir archive
tar -xzf "$build"/packages/*.tar.gz -C archive --strip-components=1
try archive archive
dpkg-deb -x "$build"/packages/*.deb deb
try deb deb/usr
