#!/usr/bin/env bash
# A study whose runs GNU parallel makes, with processes killed in the middle: the table is that of one
# local worker. Exit code 77: skipped.
#   tests/engines/parallel.sh ISODROP
set -euo pipefail
isodrop=$(readlink -f -- "$1")
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
parallel --version 2>/dev/null | grep -q 'GNU parallel' || skip "GNU parallel is not installed: apt-get install parallel"
command -v python3 >/dev/null || skip "python3 is not installed"

# A blank and a quote in the path, as users have them.
folder=$(mktemp -d "/tmp/isodrop parallel's-XXXXXX")
trap 'rm -rf -- "$folder"' EXIT
cd -- "$folder"
export HOME=$folder  # parallel's own settings
# shellcheck source=tests/engines/study.sh
source "$here/study.sh"
make_study
one_worker
tuning_first

"$isodrop" study tiny.toml --store runs --plan specs --engine parallel
bash specs/parallel.sh --jobs 2 >parallel.out 2>&1 &
script=$!
killed=0
while kill -0 "$script" 2>/dev/null; do
  worker=$(pgrep -f -- "run .*--store $folder/runs" | tail -n 1 || true)
  if (( killed < 5 )) && [[ -n $worker ]] && kill -9 "$worker" 2>/dev/null; then killed=$((killed + 1)); fi
  sleep 0.4
done
wait "$script" || echo "parallel ended with exit code $?"
(( killed == 5 )) || fail "the study was over before it was disturbed"
# Called again, it makes what is not done, and nothing twice.
bash specs/parallel.sh >again.out 2>&1 || fail "parallel: $(cat again.out)"
"$isodrop" study tiny.toml --store runs --collect --format json >collected.json
same_table collected.json
bash specs/parallel.sh >once_more.out 2>&1 || fail "parallel, with nothing to do: $(cat once_more.out)"
[[ ! -s once_more.out ]] || fail "what is done is made again: $(cat once_more.out)"
echo "the same table, with $killed processes killed"
