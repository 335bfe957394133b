#!/usr/bin/env bash
# Builds the programs of docs/tour and runs one: tour.sh [CHAPTER]. Installs what they need and is missing; the packages of
# the tests are not needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. apps/install.sh

chapter=${1:-}
[[ $# -le 1 && $chapter =~ ^[1-8]?$ ]] || { echo "tour.sh: say which chapter, 1 to 8, or nothing: '$*'" >&2; exit 2; }

install "${library_packages[@]}"
mkdir -p build
cmake -S . -B build/tour -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O0 -DCMAKE_UNITY_BUILD=ON \
  -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 -DSEMINAR_TESTS=OFF -DSEMINAR_HTTP=OFF >build/tour.log || { cat build/tour.log >&2; exit 1; }
cmake --build build/tour --target tour

if [ -n "$chapter" ]; then
  exec build/tour/bin/tour_0"$chapter"_*
fi
echo "Built: $(cd build/tour/bin && echo tour_0*). Run one with: bash apps/tour.sh 1"
