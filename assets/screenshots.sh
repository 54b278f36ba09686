#!/bin/sh
# Makes the pictures in this folder from the real program, in a real terminal: forward.svg, crash-restart.svg, details.svg.
set -eu
cd "$(dirname "$0")/.."
E2E_PICTURES="$PWD/assets" cargo test --test dashboard pictures -- --ignored
