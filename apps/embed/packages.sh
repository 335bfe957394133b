#!/usr/bin/env bash
# Makes the packages of the runtime in BUILD/packages: a wheel, an npm archive, a .deb, a .tar.gz, and SHA256SUMS. Nothing
# is downloaded. The target `packages` calls it.
#   packages.sh BUILD VERSION SHARED_LIBRARY
set -euo pipefail
build=$(cd "$1" && pwd) version=$2 library=$3
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$build/packages
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archive() { tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -czf "$out/$1" -C "$work" "$2"; }

python3 apps/embed/python/build_wheel.py "$version" "$library" "$out"

cmake --preset wasm >/dev/null
cmake --build --preset wasm >/dev/null
mkdir "$work/package"
cp seminar/runtime/seminar.mjs build/wasm/bin/seminar.wasm apps/embed/npm/seminar.d.ts LICENSE "$work/package"
sed "s/@VERSION@/$version/" apps/embed/npm/package.json >"$work/package/package.json"
archive "seminar-$version.tgz" package

name=seminar-$version-$(uname -m)
cmake --install "$build" --component runtime --prefix "$work/$name" >/dev/null
archive "$name.tar.gz" "$name"

machine=$(dpkg --print-architecture)
cmake --install "$build" --component runtime --prefix "$work/deb/usr" >/dev/null
mkdir "$work/deb/DEBIAN"
cat >"$work/deb/DEBIAN/control" <<END
Package: libseminar-dev
Version: $version
Architecture: $machine
Maintainer: The seminar authors <seminar@localhost>
Section: libdevel
Priority: optional
Description: Rank candidates with a trained SEMINAR model
 The library, its header, and its files for CMake and pkg-config.
END
dpkg-deb --root-owner-group --build "$work/deb" "$out/libseminar-dev_${version}_$machine.deb" >/dev/null

cd "$out"
sha256sum -- * >"$work/sums"
mv "$work/sums" SHA256SUMS
ls -l "$out"
