#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, runs the main job and then all tests. Options go to ctest.
. "$(dirname "${BASH_SOURCE[0]}")/../apps/setup.sh" tests
build/release/bin/seminar demo --work build/demo
exec ctest --preset release -j "$(nproc)" "$@"
