#!/usr/bin/env bash
# Installs what is missing, builds, and runs the main job on the data that the repository ships. Needs root or sudo only
# if a package is missing. Options go to `seminar demo`.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec build/release/bin/seminar demo --work build/demo "$@"
