#!/usr/bin/env python3
"""Times isodrop's dropout forward in turns with torch.nn.functional.dropout.

    scripts/bench                                   # builds isodrop's side
    python3 benchmarks/peers/compare_dropout.py --size 262144 16777216 --threads 1 2
"""

import argparse
import os
import pathlib
import sys

from compare_step import quartiles
from sides import Served

HERE = pathlib.Path(__file__).resolve().parent
BENCH = HERE.parent.parent / "build/release/benchmarks/bench_dropout"


def compare(a, size, threads):
    sides = [
        Served("isodrop", [a.isodrop, "--threads", threads, "--serve", size], threads),
        Served("torch", [sys.executable, HERE / "torch_dropout.py", "--size", size, "--threads", threads, "--serve"], threads),
    ]
    try:
        for side in sides:
            side.wait_ready()
        rounds = []
        for index in range(a.rounds + 1):
            order = sides if index % 2 else sides[::-1]
            rounds.append({side.name: side.measure(a.calls) for side in order})
    finally:
        for side in sides:
            side.close()
    rounds = rounds[1:]  # the first one warms up
    ns = {side.name: quartiles([r[side.name] * 1e6 / size for r in rounds]) for side in sides}
    ratio = quartiles([r["torch"] / r["isodrop"] for r in rounds])
    print(f"{size} elements, {threads} threads, {a.rounds} rounds of {a.calls} calls: ns an element, median [quartiles]")
    for name, v in ns.items():
        print(f"  {name:8} {v['median']:7.3f}  [{v['q1']:.3f}, {v['q3']:.3f}]")
    print(f"  torch takes {ratio['median']:.1f} x as long  [{ratio['q1']:.1f}, {ratio['q3']:.1f}], "
          f"{ratio['min']:.1f}-{ratio['max']:.1f}", flush=True)


def main():
    p = argparse.ArgumentParser(description="isodrop's dropout (rate 0.1, Philox with 10 rounds, 16 bits per element) against PyTorch's.")
    p.add_argument("--size", type=int, nargs="+", default=[262144], help="elements (default 262144: 1 MB)")
    p.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--calls", type=int, default=20, help="calls per turn; the result of a turn is their median")
    p.add_argument("--isodrop", default=BENCH, help="isodrop's benchmark (default: build/release/benchmarks/bench_dropout)")
    a = p.parse_args()
    for name, values in (("size", a.size), ("threads", a.threads), ("rounds", [a.rounds]), ("calls", [a.calls])):
        if min(values) < 1:
            p.error(f"--{name} {min(values)}: must be at least 1")
    if not os.access(a.isodrop, os.X_OK):
        p.error(f"{a.isodrop} is not there; build it with: scripts/bench")
    for size in a.size:
        for threads in a.threads:
            compare(a, size, threads)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
