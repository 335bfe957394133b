#!/usr/bin/env bash
# Builds the runtime for another machine and ranks the requests of a fixture there.
#   target.sh aarch64|armhf|s390x|wasm|wasm-plain FIXTURE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
preset=$1 fixture=$2
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
replay=(build/"$preset"/bin/replay_requests "$fixture/model.safetensors" "$fixture/requests.txt" "$fixture/wide.safetensors")
if [ "$preset" = aarch64 ]; then
  qemu-aarch64-static "${replay[@]}"
elif [ "$preset" = armhf ]; then
  qemu-arm-static "${replay[@]}"
elif [ "$preset" = s390x ]; then  # a big-endian machine says what is wrong
  printed=$(qemu-s390x-static "${replay[@]}" 2>&1 || true)
  [[ $printed == *"model files are little-endian, this machine is not"* ]] || { echo "s390x: printed: $printed" >&2; exit 1; }
else
  node tests/runtime/replay.mjs seminar/runtime/seminar.mjs "build/$preset/bin/seminar.wasm" \
    "$fixture/model.safetensors" "$fixture/requests.txt"
fi
