# Sourced by apps/demo.sh and tests/run.sh: installs what is missing and builds the release preset.
# $1: "tests" to build the tests as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. apps/install.sh

packages=(g++ cmake ninja-build libopenblas-openmp-dev libfmt-dev nlohmann-json3-dev libcli11-dev libtomlplusplus-dev zlib1g-dev libzstd-dev
  libpng-dev libjpeg62-turbo-dev libutf8proc-dev libboost-dev pkg-config)
if [ "${1:-}" = tests ]; then
  packages+=(doctest-dev libhnswlib-dev libopenmpi-dev openmpi-bin
    g++-aarch64-linux-gnu g++-arm-linux-gnueabihf g++-s390x-linux-gnu g++-11 qemu-user-static clang-14 lld-14 wasi-libc libc++-14-dev-wasm32 libc++abi-14-dev-wasm32
    libclang-rt-14-dev-wasm32 chromium)
  command -v node >/dev/null || packages+=(nodejs)
fi
install "${packages[@]}"

[ "${1:-}" = tests ] && tests=ON || tests=OFF
cmake --preset release -DSEMINAR_TESTS=$tests -DSEMINAR_MPI=$tests
cmake --build --preset release
