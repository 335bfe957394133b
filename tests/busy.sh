#!/usr/bin/env bash
# Runs all tests several times beside busy loops, one for each core, to find tests that depend on timing. Needs a built
# build/release; run by hand.   tests/busy.sh [N [OPTIONS of ctest…]]     N runs, default 5
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runs=${1:-5}
shift || true

loops=()
trap 'kill "${loops[@]}"' EXIT
for _ in $(seq "$(nproc)"); do
  while :; do :; done &
  loops+=($!)
done

failed=0
for run in $(seq "$runs"); do
  echo "run $run of $runs"
  ctest --preset release "$@" || failed=$((failed + 1))
done
echo "$failed of $runs runs failed"
[ $failed -eq 0 ]
