#!/usr/bin/env bash
# Times the commands that read a store with many runs: list, collect from a copy, report.
#   benchmarks/store.sh BUILD [RUNS]      BUILD: folder of the build; RUNS: a multiple of 100 (default 100000)
set -euo pipefail
build=$(readlink -f -- "$1")
runs=${2:-100000}
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
cd -- "$folder"
arms=$(for i in $(seq 0 9); do printf '"a%d: dropout=0.%02d", ' "$i" "$i"; done)
cat >study.toml <<END
title = "Many runs"
question = "How long does a store of them take?"
[base]
preset = "tiny"
budget = "100steps"
threads = 1
[study]
arms = [$arms]
seeds = $(( runs / 10 ))
[[figures]]
name = "harm"
of = "difference"
arm = "a9"
[rule]
supported = ["harm above 0"]
contradicted = ["harm below 0"]
END
"$build/benchmarks/fill_store" study.toml runs >&2
printf '%-46s %9s %9s\n' "" "seconds" "of CPUs"
timed() {
  local took
  TIMEFORMAT='%R %U %S'
  took=$( { time "${@:2}" >/dev/null 2>"$folder/err"; } 2>&1 ) || { cat "$folder/err" >&2; exit 1; }
  awk -v what="$1" '{ printf "%-46s %9.2f %9.2f\n", what, $1, $2 + $3 }' <<<"$took"
}
timed "runs ls" "$build/isodrop" runs ls --store runs
cp -al -- runs copy  # as a copied store: the same files by other names
timed "study --collect (report)" "$build/isodrop" study study.toml --store runs --collect
timed "study --collect COPY (all are here)" "$build/isodrop" study study.toml --store runs --collect copy
timed "study --collect COPY (none is here)" "$build/isodrop" study study.toml --store fresh --out fresh-out --collect copy
