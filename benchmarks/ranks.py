#!/usr/bin/env python3
"""Times one run under mpirun, in turns with the same run in one process with as many threads: with and
without overlap of communication and backward, and with sharded moments. Also prints what the model of
docs/scale.md predicts.

    scripts/bench ranks --preset char --batch 8 --ranks 2 --rounds 5
    scripts/bench ranks --slow-link 200,500      # also over a simulated link of 200 us and 500 MB/s
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SEGMENT = 1 << 20  # bytes a message of the reduce-scatter holds at most (train/distributed/communicator.h)
BUCKET = 1 << 20  # bytes a bucket holds at least (train/distributed/gradient_reducer.h)
BACKWARD = 2 / 3  # of a step's arithmetic
PLAIN, APART, SHARDED = "", "no overlap", "moments in shards"


def buckets(layers, width, size):
    """Bytes of each, the last first, of a GPT whose gradients are `size` bytes."""
    found, left = [0.0], size
    for matrix in [4, 4, 1, 3] * layers:  # mlp.c_proj, mlp.c_fc, attn.c_proj, attn.c_attn
        if found[-1] >= BUCKET and left >= BUCKET:
            found.append(0.0)
        found[-1] += 4 * matrix * width**2
        left -= 4 * matrix * width**2
    if found[-1] >= BUCKET and left >= BUCKET:
        found.append(0.0)
    found[-1] += left  # embeddings
    return found


def reduction(ranks, size, latency, bandwidth):
    """Seconds that gradients of `size` bytes take there and back."""
    levels = ranks.bit_length() - 1
    messages = levels + sum(math.ceil(size / 2**k / SEGMENT) for k in range(1, levels + 1))
    return 2 * (ranks - 1) / ranks * size / bandwidth + messages * latency


def model(alone, ranks, pieces, latency, bandwidth, kind):
    """Seconds of a step whose arithmetic takes `alone` on one rank's share of the batch, in one shard:
    two orders, the loss, and what backward does not hide of the gradients. With moments in shards it can
    hide the way there alone, and norms are summed, too."""
    if kind == APART:
        pieces = [sum(pieces)]
    *hidden, last = [reduction(ranks, size, latency, bandwidth) for size in pieces]
    orders = 3 * (ranks.bit_length() - 1) * latency
    if kind != SHARDED:
        return alone + orders + last + max(0.0, sum(hidden) - BACKWARD * alone)
    orders += 2 * (ranks.bit_length() - 1) * latency
    back = (sum(hidden) + last) / 2
    return alone + orders + last / 2 + max(0.0, sum(hidden) / 2 - BACKWARD * alone) + back


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--describe", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--preset", default="char")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--ranks", type=int, default=2, help="number of processes, and of threads of the single process")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, default=8, help="steps per turn")
    p.add_argument("--slow-link", action="append", default=[], metavar="US,MB/S",
                   help="also time a simulated link with this latency and bandwidth (ISODROP_SLOW_LINK); repeatable")
    p.add_argument("--isodrop", default=os.path.join(ROOT, "build/release/isodrop"))
    a = p.parse_args()
    if a.describe:
        print(__doc__.splitlines()[0])
        return
    if a.ranks < 2 or a.ranks & (a.ranks - 1) or a.batch % a.ranks:
        p.error(f"--ranks {a.ranks}: give a power of two that divides --batch {a.batch}")
    if not shutil.which("mpirun"):
        sys.exit("mpirun is not there; on Debian: apt-get install openmpi-bin libopenmpi-dev, then build again")
    version = subprocess.run([a.isodrop, "--version"], capture_output=True, text=True, check=True).stdout
    if "not built in" in version:
        sys.exit(f"{a.isodrop} was built without MPI; build it with -DISODROP_MPI=ON")
    launcher = ["mpirun"] + (["--oversubscribe", "--allow-run-as-root"] if "Open MPI" in version else [])

    def seconds(before, threads, shards, environment=None, more=()):
        # The first run of another number of processes is slower, by up to 15 % at char, whoever it is.
        once(before, threads, shards, environment, more, 1)
        return once(before, threads, shards, environment, more, a.steps)

    def once(before, threads, shards, environment, more, steps):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "run")
            command = [*before, a.isodrop, "train", "--out", out, "--preset", a.preset, "--batch", str(a.batch),
                       "--threads", str(threads), "--shards", str(shards), "--budget", f"{steps}steps",
                       "--eval-interval", "1000000", "--eval-tokens", "1",
                       "--checkpoint-interval", "off", "--format", "json", *more]
            run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
            if run.returncode != 0:
                sys.exit(f"{' '.join(command)}\n{run.stderr}")
            with open(os.path.join(out, "summary.json")) as f:
                summary = json.load(f)
            with open(os.path.join(out, "config.json")) as f:
                config = json.load(f)
            parameters = summary.get("parameters") or summary["metrics"]["parameters"]
            spent = summary.get("seconds") or summary["metrics"]["seconds"]
            return spent / steps, buckets(config["n_layer"], config["n_embd"], 4 * parameters)

    mpi = [*launcher, "-n", str(a.ranks)]
    alone = f"1 process, {a.ranks} threads"
    sides = {
        alone: lambda: seconds([], a.ranks, 1),
        f"the same, {a.ranks} shards": lambda: seconds([], a.ranks, a.ranks),
    }
    ways = {(link, kind): (f"over {link}" if link else f"{a.ranks} processes, 1 thread each") + (kind and ", " + kind)
            for link in [None, *a.slow_link] for kind in (PLAIN, APART, SHARDED)}
    for (link, kind), name in ways.items():
        environment = {"ISODROP_SLOW_LINK": link} if link else {}
        if kind == APART:
            environment["ISODROP_OVERLAP"] = "0"
        more = ["--shard-moments"] if kind == SHARDED else []
        sides[name] = lambda environment=environment, more=more: seconds(mpi, 1, a.ranks, environment, more)
    times, pieces = {name: [] for name in sides}, []
    for round_ in range(a.rounds):
        order = list(sides.items())
        for name, side in order if round_ % 2 == 0 else order[::-1]:
            spent, pieces = side()
            times[name].append(spent)
    print(f"{a.preset}, batch {a.batch}, {a.rounds} rounds of {a.steps} steps, load {os.getloadavg()[0]:.1f}: "
          "ms a step, median [lowest, highest]")
    for name, values in times.items():
        print(f"  {name:48} {1e3 * statistics.median(values):9.2f}  "
              f"[{1e3 * min(values):.2f}, {1e3 * max(values):.2f}]")
    shared = ways[None, PLAIN]
    ratio = statistics.median(x / y for x, y in zip(times[alone], times[shared]))
    print(f"{shared}: {ratio:.3f} of the speed of {alone} (median over rounds)")
    for link in [None, *a.slow_link]:
        for kind, other in ((PLAIN, APART), (SHARDED, PLAIN)):
            ratios = [x / y for x, y in zip(times[ways[link, kind]], times[ways[link, other]])]
            print(f"{ways[link, kind]}: {statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}] of the "
                  f"time of {ways[link, other]} (median over rounds)")
    for (link, kind), name in ways.items():
        if link:
            us, mbps = map(float, link.split(","))
            here = statistics.median(times[ways[None, kind]])
            said = model(here, a.ranks, pieces, us * 1e-6, mbps * 1e6, kind)
            took = statistics.median(times[name])
            print(f"{name}: the model says {1e3 * said:.2f} ms, took {1e3 * took:.2f} ({took / said:.3f})")


if __name__ == "__main__":
    main()
