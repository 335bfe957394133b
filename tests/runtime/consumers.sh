#!/usr/bin/env bash
# Installs libseminar and builds the examples in projects that use it: C alone and C++ alone, found by CMake, by pkg-config
# (multiarch and absolute library folders too), and as a subdirectory, static and shared, with g++ 11 where it is
# installed. All must print what the example of this build prints.
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
  printed=${printed%%$'\n'retrieved*}  # the example in C++ prints more
  [ "$printed" = "$expected" ] || { printf '%s: printed\n%s\ninstead of\n%s\n' "$1" "$printed" "$expected" >&2; exit 1; }
  echo "$1: the same scores"
}

install() { cmake --install "$build" --component runtime --prefix "$1" >/dev/null; }
install "$work/installed"
[ -n "$(find "$work/installed" -name LICENSE)" ] || { echo "no licence is installed" >&2; exit 1; }

c=$source/apps/embed/rank.c cpp=$source/apps/embed/rank.cpp
consumer() {  # NAME LANGUAGES SOURCE OPTIONS…
  cmake -S "$source/tests/runtime/consumer" -B "$work/$1" -G Ninja -DCONSUMER_LANGUAGES="$2" -DEXAMPLE="$3" "${@:4}" >/dev/null
  cmake --build "$work/$1" >/dev/null
  check "$1" "$work/$1/consumer"
}
installed=-DCMAKE_PREFIX_PATH=$work/installed taken_in=-DSEMINAR_SOURCE=$source
consumer find_package_c C "$c" "$installed"
consumer find_package_cpp CXX "$cpp" "$installed"
consumer subdirectory_c C "$c" "$taken_in"
consumer shared_c C "$c" "$taken_in" -DBUILD_SHARED_LIBS=ON
if command -v g++-11 >/dev/null; then
  consumer gcc_11 CXX "$cpp" "$taken_in" -DCMAKE_CXX_COMPILER=g++-11 -DCMAKE_C_COMPILER=gcc-11
fi

# The repository by itself, with a shared library and Debian's names of folders, and with an absolute one.
runtime() {  # NAME PREFIX OPTIONS…
  cmake -S "$source" -B "$work/$1" -G Ninja -DSEMINAR_RUNTIME_ONLY=ON -DSEMINAR_TESTS=OFF -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_INSTALL_PREFIX="$2" "${@:3}" >/dev/null
  cmake --build "$work/$1" >/dev/null
  cmake --install "$work/$1" --component runtime >/dev/null
}
pkg_config() {  # NAME FOLDER
  # shellcheck disable=SC2046
  PKG_CONFIG_PATH=$2/pkgconfig cc -o "$work/$1.out" "$c" $(PKG_CONFIG_PATH=$2/pkgconfig pkg-config --cflags --libs seminar)
  LD_LIBRARY_PATH=$2 check "$1" "$work/$1.out"
}
pkg_config pkg_config "$(dirname "$(find "$work/installed" -name libseminar.a)")"
runtime multiarch "$work/usr" -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_LIBDIR=lib/x86_64-linux-gnu
pkg_config multiarch "$work/usr/lib/x86_64-linux-gnu"
runtime absolute "$work/a" -DCMAKE_INSTALL_LIBDIR="$work/elsewhere/lib"
pkg_config absolute "$work/elsewhere/lib"
