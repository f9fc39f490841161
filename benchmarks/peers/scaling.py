#!/usr/bin/env python3
"""Times isodrop's training step with more threads against one thread, and with a neighbor that keeps one
core busy, in turns.

    scripts/bench                                   # builds bench_step
    python3 benchmarks/peers/scaling.py --preset char --batch 8 --threads 2
"""

import argparse
import os
import subprocess
import sys

from compare_step import BATCH, BENCH, quartiles
from sides import Served

SPIN = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"


def main():
    p = argparse.ArgumentParser(description="Times isodrop's step with more threads, and with a busy neighbor.")
    p.add_argument("--preset", choices=BATCH, default="char")
    p.add_argument("--batch", type=int, help="default: tiny 16, nano 12, char 8, gpt2 1")
    p.add_argument("--dropout", type=float, default=0.0)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--steps", type=int, default=5, help="steps per turn; the result of a turn is their median")
    p.add_argument("--isodrop", default=BENCH, help="default: build/release/benchmarks/bench_step")
    a = p.parse_args()
    for name in ("rounds", "steps", "threads"):
        if getattr(a, name) < 1:
            p.error(f"--{name} {getattr(a, name)}: must be at least 1")
    if not os.access(a.isodrop, os.X_OK):
        p.error(f"{a.isodrop} is not there; build it with: scripts/bench")
    common = [a.isodrop, "--preset", a.preset, "--batch", a.batch or BATCH[a.preset], "--dropout", a.dropout, "--serve"]
    one, all_ = (Served(f"{n} threads", [*common, "--threads", n], n) for n in (1, a.threads))

    def beside_a_neighbour():
        neighbour = subprocess.Popen([sys.executable, "-c", SPIN])
        try:
            return all_.measure(a.steps)
        finally:
            neighbour.kill()
            neighbour.wait()

    try:
        for side in (one, all_):
            side.wait_ready()
        rounds = [(one.measure(a.steps), all_.measure(a.steps), beside_a_neighbour()) for _ in range(a.rounds + 1)][1:]
    finally:
        for side in (one, all_):
            side.close()
    print(f"{a.preset}, {a.rounds} rounds of {a.steps} steps: median [quartiles]")
    names = ("1 thread", f"{a.threads} threads", f"{a.threads} threads, one core busy")
    for name, values in zip(names, zip(*rounds)):
        ms = quartiles(values)
        print(f"  {name:28} {ms['median']:9.2f} ms  [{ms['q1']:.2f}, {ms['q3']:.2f}]")
    for what, r in (
        (f"{a.threads} threads are", quartiles([x / y for x, y, _ in rounds])),
        ("a busy core costs", quartiles([z / y for _, y, z in rounds])),
    ):
        print(f"  {what} {r['median']:.2f} x  [{r['q1']:.2f}, {r['q3']:.2f}], {r['min']:.2f}-{r['max']:.2f}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
