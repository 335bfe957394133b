#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, and runs all tests. Options go to ctest.
. "$(dirname "${BASH_SOURCE[0]}")/../apps/setup.sh" tests
exec ctest --preset release "$@"
