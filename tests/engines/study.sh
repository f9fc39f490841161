# shellcheck shell=bash
# Sourced by the tests of engines: a small tuned study, and whether a report has its losses.

make_study() {
  python3 - <<'END'
import random
random.seed(1)
words = "the cat sat on a mat and dog ran far".split()
open("text.txt", "w").write(" ".join(random.choice(words) for _ in range(6000)))
END
  cat >tiny.toml <<'END'
title = "A rate of a tenth is too low"
question = "Does a learning rate ten times too small hurt?"
[base]
text = "text.txt"
n_layer = 1
n_head = 2
n_embd = 32
block_size = 32
batch = 8
threads = 1
lr = 0.01
budget = "3000steps"
[study]
arms = ["right: none", "low: none,lr=0.001|0.0005"]
tuning_seeds = 1
seeds = 5
[[figures]]
name = "harm"
of = "difference"
[rule]
supported = ["harm above 0"]
contradicted = ["harm below 0"]
END
}

# The study as one worker makes it, in a store of its own.
one_worker() {
  "$isodrop" study tiny.toml --store alone --out alone-out --jobs 1 --format json >alone.json 2>alone.err ||
    fail "the study cannot be made here: $(cat alone.err)"
}

# The rounds of the tuning, made by a list here.
tuning_first() {
  local said rounds=0
  while said=$("$isodrop" study tiny.toml --store runs --collect 2>/dev/null || true); [[ $said == *"tuning runs are done"* ]]; do
    rounds=$((rounds + 1))
    rm -f specs/specs-*.txt
    "$isodrop" study tiny.toml --store runs --plan specs --engine mpi >/dev/null
    "$isodrop" run --list specs/specs-*.txt --store runs --threads 1 >/dev/null 2>&1 || fail "run --list: $?"
  done
  (( rounds > 0 )) || fail "--collect does not say that tuning comes first: $said"
  rm -rf specs
}

# same_table FILE: the runs' results and what was chosen are those of one worker.
same_table() {
  "$isodrop" list metrics --format json >metrics.json
  python3 - alone.json "$1" alone runs <<'END' || fail "$1 differs from what one worker made"
import json, pathlib, sys
metrics = json.load(open("metrics.json"))
metrics = metrics if isinstance(metrics, list) else next(iter(metrics.values()))
TIMES = {m["name"] for m in metrics if m["unit"] == "s" or m["unit"].endswith("/s")} | {"machine"}
def runs(store):
    out = {}
    for file in pathlib.Path(store).glob("*/record.json"):
        record = json.loads(file.read_text())
        del record["build"]["commit"], record["hash"]  # decide no bit; the hash is over the times, too
        out[record["id"]] = {k: v for k, v in record.items() if k not in TIMES}
    return out
def table(file):
    study = json.load(open(file))["studies"][0]
    return study["verdict"], study["figures"]
first, second, a, b = sys.argv[1:]
assert table(first) == table(second), (table(first), table(second))
x, y = runs(a), runs(b)
assert x.keys() == y.keys(), "other runs"
for id in x:
    assert x[id] == y[id], {k: (v, y[id].get(k)) for k, v in x[id].items() if y[id].get(k) != v}
print(len(x), "runs with the same bits")
END
}
