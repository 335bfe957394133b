#!/usr/bin/env bash
# Installs libseminar and builds the C example in projects that use it: found by CMake, by pkg-config, and as a
# subdirectory, static and shared. All must print what the example of this build prints.
#   consumers.sh BUILD FIXTURE
set -euo pipefail
build=$1 model=$2/model.safetensors
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
request=(103,107,111 105,109,130)
expected=$("$build/bin/rank_static" "$model" "${request[@]}")

check() {
  local printed
  printed=$("$2" "$model" "${request[@]}")
  [ "$printed" = "$expected" ] || { printf '%s: printed\n%s\ninstead of\n%s\n' "$1" "$printed" "$expected" >&2; exit 1; }
  echo "$1: the same scores"
}

cmake --install "$build" --component runtime --prefix "$work/installed" >/dev/null

consumer() {  # NAME OPTIONS…
  cmake -S "$source/tests/runtime/consumer" -B "$work/$1" -G Ninja -DEXAMPLE="$source/apps/embed/rank.c" "${@:2}" >/dev/null
  cmake --build "$work/$1" >/dev/null
  check "$1" "$work/$1/consumer"
}
consumer find_package -DCMAKE_PREFIX_PATH="$work/installed"
consumer subdirectory -DSEMINAR_SOURCE="$source"
consumer shared -DSEMINAR_SOURCE="$source" -DBUILD_SHARED_LIBS=ON

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/installed" -name seminar.pc)")
# shellcheck disable=SC2046
cc -o "$work/by_pkg_config" "$source/apps/embed/rank.c" $(pkg-config --cflags --libs --static seminar)
check pkg-config "$work/by_pkg_config"
