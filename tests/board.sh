#!/usr/bin/env bash
# The reliability board: provokes the faults of docs/faults.md and prints what became of each, a row a fault.
#
#   tests/board.sh              all of them
#   tests/board.sh P11 S4 K     these, or these groups
#
# A fault is the tests that carry its id in their names (p11_…, p10_p11_…; tests/scenario_invalid/c3_… for mistakes in files).
# It has survived if all of them passed and at least one was not skipped. Exits with 1 if one failed or has no test.
set -uo pipefail
cd "$(dirname "$0")/.."

mapfile -t faults < <(sed -nE 's/^- \*\*([A-Z][0-9]+)\*\* (.*)/\1\t\2/p' docs/faults.md)
wanted() {
    [ $# -gt 1 ] || return 0
    local id=$1 want
    for want in "${@:2}"; do [[ $id == "${want^^}" || $id == "${want^^}"[0-9]* && ${#want} = 1 ]] && return 0; done
    return 1
}
filters=()
for fault in "${faults[@]}"; do
    id=${fault%%$'\t'*}
    if wanted "$id" "$@"; then
        filters+=("${id,,}_")
        ls tests/scenario_invalid/"${id,,}"_*.toml >/dev/null 2>&1 && filters+=(every_mistake_of_a_file)
    fi
done
if [ ${#filters[@]} = 0 ]; then
    echo "no fault of docs/faults.md is called that: $*" >&2
    exit 2
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "provoking them; this takes minutes (the tests' own output: E2E_BOARD_LOG=FILE)" >&2
cargo test --no-fail-fast -- "${filters[@]}" >"$log" 2>&1
[ -z "${E2E_BOARD_LOG:-}" ] || cp "$log" "$E2E_BOARD_LOG"
if ! grep -q '^test result:' "$log"; then
    cat "$log" >&2
    exit 1
fi

for fault in "${faults[@]}"; do
    id=${fault%%$'\t'*}
    wanted "$id" "$@" || continue
    files=$(ls tests/scenario_invalid/"${id,,}"_*.toml 2>/dev/null | wc -l)
    awk -v id="$id" -v files="$files" -v text="${fault#*$'\t'}" '
        BEGIN { low = tolower(id); mine = "(^|[:_])" low "_" }
        /^test / && / \.\.\. / {
            name = $2
            if (name ~ mine || (files && name ~ /every_mistake_of_a_file/)) {
                if (/FAILED$/) failed = failed (failed ? ", " : "") name
                else if (!/ \.\.\. ignored/) passed++
            }
        }
        match($0, /SKIPPED .*/) {
            why = substr($0, RSTART + 8)
            if (why ~ "^" low "[_: ]" || why ~ "_" low "_") { skips++; reason = why }
        }
        END {
            if (failed)                       result = "FAILED"
            else if (!passed && !skips)       result = "NO TEST"
            else if (skips >= passed)         result = "skipped"
            else                              result = "survived"
            printf "%-4s %-9s %s\n", id, result, text
            if (failed) printf "%15s%s\n", "", failed
            else if (skips) printf "%15s%s%s\n", "", (result == "survived" ? "in part: " : ""), reason
        }' "$log"
done | tee >(awk '
    / (survived|skipped|FAILED|NO TEST) / && /^[A-Z][0-9]/ { n[$2 == "NO" ? "NO TEST" : $2]++ }
    END { printf "\n%d survived, %d skipped, %d failed, %d without a test\n", n["survived"], n["skipped"], n["FAILED"], n["NO TEST"] }' >"$log.sum")
cat "$log.sum"
grep -q ' 0 failed, 0 without' "$log.sum"
code=$?
rm -f "$log.sum"
exit "$code"
