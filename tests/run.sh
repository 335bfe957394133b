#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, runs the main job in its quick form and then all tests. Options go to ctest.
. "$(dirname "${BASH_SOURCE[0]}")/../apps/setup.sh" tests
build/release/bin/seminar demo --quick --work build/demo-quick
exec ctest --preset release -j "$(nproc)" "$@"
