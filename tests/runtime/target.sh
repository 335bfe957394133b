#!/usr/bin/env bash
# Builds the runtime for another machine and ranks the requests of a fixture there.
#   target.sh aarch64|wasm|wasm-plain FIXTURE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
preset=$1 fixture=$2
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
if [ "$preset" = aarch64 ]; then
  qemu-aarch64-static build/aarch64/bin/replay_requests "$fixture/model.safetensors" "$fixture/requests.txt"
else
  node tests/runtime/replay.mjs seminar/runtime/seminar.mjs "build/$preset/bin/seminar.wasm" \
    "$fixture/model.safetensors" "$fixture/requests.txt"
fi
