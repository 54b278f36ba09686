#!/bin/sh
# Makes the recordings that the dashboard's tests read: bundled scenarios, cut off in mid-run as by a `kill -9`, so that
# what is on disk is how the run stood at that moment. Made once; make them anew only to show what older ones cannot,
# and look at the snapshots that change.
#
# usage: tests/recordings/record.sh PATH-TO-e2e-tui
set -eu
to=$(cd "$(dirname "$0")" && pwd)
place=/tmp/demo                         # no folder of anybody's in the recordings
mkdir -p "$place" && cp "$1" "$place/e2e-tui" && cd "$place"

record() {                              # record SCENARIO SECONDS [OPTION...]
    scenario=$1 seconds=$2
    shift 2
    rm -rf state
    ./e2e-tui run "$scenario" --recordings-dir state --quiet "$@" >log 2>&1 &
    pid=$!
    sleep "$seconds"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    sleep 1                             # the guardian takes the rest along
    ./e2e-tui export "$(ls state)" --recordings-dir state -o "$to/$scenario.tar.zst" --force
}

record forward 6.4 --set calls=50
record crash-restart 1.62
cp "$to/trouble.toml" . && record trouble 2.6
