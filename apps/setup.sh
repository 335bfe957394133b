# Sourced by apps/demo.sh and tests/run.sh: installs what is missing and builds the release preset.
# $1: "tests" to build the tests as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. apps/install.sh

packages=("${library_packages[@]}" libboost-dev)
if [ "${1:-}" = tests ]; then
  packages+=(doctest-dev libhnswlib-dev libopenmpi-dev openmpi-bin
    g++-aarch64-linux-gnu g++-arm-linux-gnueabihf g++-s390x-linux-gnu g++-11 python3-numpy qemu-user-static clang-14 lld-14 wasi-libc libc++-14-dev-wasm32 libc++abi-14-dev-wasm32
    libclang-rt-14-dev-wasm32 chromium)
  command -v node >/dev/null || packages+=(nodejs)
fi
install "${packages[@]}"

[ "${1:-}" = tests ] && tests=ON || tests=OFF
cmake --preset release -DSEMINAR_TESTS=$tests -DSEMINAR_MPI=$tests
cmake --build --preset release
