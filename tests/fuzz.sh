#!/usr/bin/env bash
# Fuzzes the readers of untrusted files with libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer, one target
# after the other in one process, and prints what each one did. Findings are kept in build/fuzz/findings and end with
# exit code 1; what was learned stays in build/fuzz/corpus. tests/fuzz.sh [--minutes N | --seconds N] [--build DIR] [TARGET…]
#   --minutes N   in all (default 60)     --seconds N   for each target     --build DIR   built already, in DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

minutes=60 seconds= targets=() work=
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=$2 && shift 2 ;;
    --seconds) seconds=$2 && shift 2 ;;
    --build) work=$2 && shift 2 ;;
    *) targets+=("$1") && shift ;;
  esac
done

if [ -z "$work" ]; then
  if ! command -v clang++-14 >/dev/null || ! ls /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
    echo "fuzz.sh: skipped: needs the packages clang-14, libclang-rt-14-dev and libomp-14-dev"
    exit 77
  fi
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz --target fuzz --target replay
  work=build/fuzz
fi

TMPDIR=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/fuzz.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
$work/bin/replay --write-seeds $work/seeds
[ ${#targets[@]} -gt 0 ] || for folder in "$work"/seeds/*/; do targets+=("$(basename "$folder")"); done
[ -n "$seconds" ] || seconds=$((minutes * 60 / ${#targets[@]}))
mkdir -p $work/findings

failed=0
for target in "${targets[@]}"; do
  stored=tests/fuzz/corpus/$target dictionary=tests/fuzz/$target.dict
  [ -f "$dictionary" ] || dictionary=tests/fuzz/json.dict
  mkdir -p "$work/corpus/$target"
  folders=("$work/corpus/$target" "$work/seeds/$target")
  [ -d "$stored" ] && folders+=("$stored")
  code=0
  nice -n 19 $work/bin/fuzz "$target" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=3000 -max_len=200000 \
    -dict="$dictionary" -artifact_prefix="$work/findings/$target-" -print_final_stats=1 "${folders[@]}" \
    >"$work/$target.log" 2>&1 || code=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")
  covered=$(grep -o 'cov: [0-9]*' "$work/$target.log" | tail -n 1)
  printf '%-12s %10s executions in %4d s, %s' "$target" "${runs:-?}" "$seconds" "$covered"
  if [ $code -ne 0 ]; then
    failed=1
    printf ', FOUND: see %s and %s' "$work/$target.log" "$work/findings"
  fi
  printf '\n'
done
exit $failed
