#!/usr/bin/env python3
"""Times isodrop's training step in turns with PyTorch's, JAX's and llm.c's.

All programs run all the time and take turns of a few steps in rotating order, and ratios are taken
within a round, so that a busy machine disturbs all alike (see sides.py).

    scripts/bench                                   # builds isodrop's benchmark
    python3 benchmarks/peers/compare_step.py --preset nano --dropout 0 0.1 --threads 2 --compile
    python3 benchmarks/peers/compare_step.py --preset gpt2 --dropout 0 --llmc ../llm.c/train_gpt2

Build llm.c's CPU trainer with its Makefile and OpenMP; it starts in the folder it was built in, where it
expects its weights and tokens. B and T are constants in its main(), so the other programs use the same.
It does not clip gradients, has no dropout, and pads the vocabulary to 50304 rows.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys

from sides import Llmc, Served

HERE = pathlib.Path(__file__).resolve().parent
BENCH = HERE.parent.parent / "build/release/benchmarks/bench_step"
# What holds each library to an instruction set; isodrop's own loops need a build for it besides.
ISA = {
    "native": {},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
BATCH = {"tiny": 16, "nano": 12, "char": 8, "gpt2": 1}


def quartiles(values):
    values = sorted(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "q1": low, "q3": high, "min": values[0], "max": values[-1]}


def compare(a, preset, dropout):
    batch, time = a.llmc_shape if a.llmc else (a.batch or BATCH[preset], None)
    common = ["--preset", preset, "--batch", batch, "--dropout", dropout, "--threads", a.threads, "--serve"]
    if time:
        common += ["--block-size", time]
    torch_step = [sys.executable, HERE / "torch_step.py", *common]
    sides = {"isodrop": (Served, [a.isodrop, *common])}
    if a.torch:
        sides["torch"] = (Served, torch_step)
        if a.compile:
            sides["torch.compile"] = (Served, [*torch_step, "--compile"])
    if a.jax:
        sides["jax"] = (Served, [sys.executable, HERE / "jax_step.py", *common])
    if a.llmc:
        sides["llm.c"] = (Llmc, [a.llmc])
    peers = []
    try:
        for name, (side, command) in sides.items():  # one after the other: warming up is work too
            peers.append(side(name, command, a.threads, ISA[a.isa]))
            peers[-1].wait_ready()
        rounds = []
        for index in range(a.warmup + a.rounds):
            shift = index % len(peers)
            ms = {peer.name: peer.measure(a.steps) for peer in peers[shift:] + peers[:shift]}
            if index >= a.warmup:
                rounds.append(ms)
        memory = {peer.name: peer.peak_mb() for peer in peers}
    finally:
        for peer in peers:
            peer.close()

    result = {"preset": preset, "batch": batch, "dropout": dropout, "threads": a.threads, "isa": a.isa, "steps": a.steps}
    if time:
        result["block_size"] = time
    result["ms"] = {name: quartiles([r[name] for r in rounds]) for name in sides}
    result["peak_mb"] = memory
    # How many times as long a peer takes; the rival is the fastest of them.
    result["ratio"] = {n: quartiles([r[n] / r["isodrop"] for r in rounds]) for n in sides if n != "isodrop"}
    result["rival"] = min(result["ratio"], key=lambda n: result["ratio"][n]["median"])
    result["rounds"] = rounds
    return result


def show(result):
    shape = f"B {result['batch']}" + (f", T {result['block_size']}" if "block_size" in result else "")
    isa = "" if result["isa"] == "native" else f", {result['isa'].upper()}"
    print(f"{result['preset']}, {shape}, dropout {result['dropout']}, {result['threads']} threads{isa}, "
          f"{len(result['rounds'])} rounds of {result['steps']} steps: median [quartiles]")
    for name, ms in result["ms"].items():
        line = f"  {name:14} {ms['median']:9.2f} ms  [{ms['q1']:.2f}, {ms['q3']:.2f}]"
        if result["peak_mb"][name]:
            line += f"  peak {result['peak_mb'][name]:.0f} MB"
        if name in result["ratio"]:
            r = result["ratio"][name]
            line += f"  {r['median']:.2f} x isodrop  [{r['q1']:.2f}, {r['q3']:.2f}], {r['min']:.2f}-{r['max']:.2f}"
        print(line)
    print(flush=True)


def main():
    p = argparse.ArgumentParser(description="Times isodrop's training step in turns with PyTorch's, JAX's and llm.c's.")
    p.add_argument("--preset", choices=BATCH, nargs="+", default=["nano"])
    p.add_argument("--dropout", type=float, nargs="+", default=[0.0, 0.1])
    p.add_argument("--batch", type=int, help="default: tiny 16, nano 12, char 8, gpt2 1")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--compile", action="store_true", help="also time torch.compile")
    p.add_argument("--jax", action="store_true", help="also time JAX on the CPU (pip install jax)")
    p.add_argument("--llmc", metavar="PATH", type=pathlib.Path, help="also time llm.c: its built train_gpt2 (preset gpt2, dropout 0)")
    p.add_argument("--llmc-shape", metavar=("B", "T"), type=int, nargs=2, default=[4, 64],
                   help="the values in main() of llm.c's train_gpt2.c; all programs use them (default: 4 64)")
    p.add_argument("--no-torch", dest="torch", action="store_false", help="without PyTorch")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--warmup", type=int, default=2, help="rounds for warm-up, not counted")
    p.add_argument("--steps", type=int, default=5, help="steps per turn; the result of a turn is their median")
    p.add_argument("--isa", choices=ISA, default="native",
                   help="avx2: every side held to AVX2, as a stand-in for a machine without more; isodrop's side is a build "
                        "with -DISODROP_ARCH=x86-64-v3 in build/avx2")
    p.add_argument("--isodrop", help="isodrop's side (default: bench_step of build/release, or of build/avx2 with --isa avx2)")
    p.add_argument("--format", choices=("text", "json"), default="text", help="json: one object per line, with raw rounds")
    a = p.parse_args()
    for name in ("rounds", "steps", "threads"):
        if getattr(a, name) < 1:
            p.error(f"--{name} {getattr(a, name)}: must be at least 1")
    if a.isodrop is None:
        a.isodrop = BENCH if a.isa == "native" else HERE.parent.parent / f"build/{a.isa}/benchmarks/bench_step"
    if not os.access(a.isodrop, os.X_OK):
        p.error(f"{a.isodrop} is not there; build it with: " + ("scripts/bench" if a.isa == "native" else
                f"cmake --preset release -B build/{a.isa} -DISODROP_ARCH=x86-64-v3 && ninja -C build/{a.isa} bench_step"))
    if a.llmc:
        if a.preset != ["gpt2"] or a.dropout != [0] or a.batch:
            p.error("--llmc: its model is gpt2 without dropout, its batch --llmc-shape; give --preset gpt2 --dropout 0, no --batch")
        if min(a.llmc_shape) < 1:
            p.error(f"--llmc-shape {a.llmc_shape[0]} {a.llmc_shape[1]}: must be at least 1")
        if not a.llmc.is_file() or not os.access(a.llmc, os.X_OK):
            p.error(f"--llmc {a.llmc}: no program is there; build it in llm.c's folder with: make train_gpt2")
    if not a.torch and (a.compile or not (a.llmc or a.jax)):
        p.error("--no-torch: nothing is left of what was asked for; give --llmc without --compile")
    for preset in a.preset:
        for dropout in a.dropout:
            result = compare(a, preset, dropout)
            print(json.dumps(result), flush=True) if a.format == "json" else show(result)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
