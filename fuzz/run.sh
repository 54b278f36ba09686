#!/bin/sh
# Fuzzes a target for a while: fuzz/run.sh ansi|line|format|index|archive|scenario|foreign [SECONDS]. Needs `cargo install
# cargo-fuzz`, and a nightly compiler (`rustup toolchain install nightly`); without one the stable compiler is asked for
# what it keeps for nightly. What it finds is kept in fuzz/corpus/TARGET and fuzz/artifacts/TARGET.
set -eu
cd "$(dirname "$0")/.."
target=${1:?which target: ansi, line, format, index, archive, scenario or foreign}
if rustup run nightly rustc --version >/dev/null 2>&1; then
    toolchain=+nightly
else
    toolchain=
    export RUSTC_BOOTSTRAP=1
fi
# Unquoted: without a nightly compiler it is no argument.
exec cargo $toolchain fuzz run "$target" "fuzz/corpus/$target" -- -max_total_time="${2:-60}" -max_len=65536
