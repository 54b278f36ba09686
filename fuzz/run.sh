#!/bin/sh
# Fuzzes a target for a while: fuzz/run.sh ansi|line|format|index|archive|scenario|foreign [SECONDS]. Needs `rustup toolchain install nightly` and
# `cargo install cargo-fuzz`. What it finds is kept in fuzz/corpus/TARGET and fuzz/artifacts/TARGET.
set -eu
cd "$(dirname "$0")/.."
exec cargo +nightly fuzz run "${1:?which target: ansi, line, format, index, archive, scenario or foreign}" "fuzz/corpus/$1" -- -max_total_time="${2:-60}" -max_len=65536
