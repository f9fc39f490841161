#!/usr/bin/env python3
"""Holds isodrop's training step against PyTorch's, interleaved in one run.

Both sides live for the whole run and take turns, a few steps each, in an order that rotates, so that
a busy machine disturbs both alike; a ratio is formed within each round. Both speak the same protocol:
they print "ready", then for each line N they run N steps and print the median milliseconds of one.

    scripts/bench                                   # builds isodrop's side
    python3 benchmarks/peers/compare_step.py --preset nano --dropout 0 0.1 --threads 2 --compile
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BENCH = HERE.parent.parent / "build/release/benchmarks/bench_step"
BATCH = {"tiny": 16, "nano": 12, "char": 8, "gpt2": 1}


class Peer:
    """A process that times steps on request."""

    def __init__(self, name, command, threads):
        self.name, self.errors = name, tempfile.TemporaryFile("w+")
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True, env=environment,
        )

    def wait_ready(self):
        if self.read() != "ready":
            self.fail('did not print "ready"')

    def measure(self, steps):
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail("ended")
        answer = self.read()
        try:
            return float(answer)
        except ValueError:
            self.fail(f"answered '{answer}' instead of milliseconds")

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.fail("ended")
        return line.strip()

    def peak_mb(self):
        """Peak resident memory so far, or None where the system does not tell."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return next((int(l.split()[1]) / 1024 for l in status.splitlines() if l.startswith("VmHWM")), None)

    def fail(self, what):
        self.close()
        self.errors.seek(0)
        message = self.errors.read().strip()
        sys.exit(f"compare_step.py: {self.name} {what}" + (f":\n{message}" if message else ""))

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def quartiles(values):
    values = sorted(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "q1": low, "q3": high, "min": values[0], "max": values[-1]}


def compare(a, preset, dropout):
    batch = a.batch or BATCH[preset]
    common = ["--preset", preset, "--batch", batch, "--dropout", dropout, "--threads", a.threads, "--serve"]
    torch_step = [sys.executable, HERE / "torch_step.py", *common]
    commands = {"isodrop": [a.isodrop, *common], "torch": torch_step}
    if a.compile:
        commands["torch.compile"] = [*torch_step, "--compile"]
    peers = []
    try:
        for name, command in commands.items():  # one after the other: warming up is work too
            peers.append(Peer(name, command, a.threads))
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

    result = {"preset": preset, "batch": batch, "dropout": dropout, "threads": a.threads, "steps": a.steps}
    result["ms"] = {name: quartiles([r[name] for r in rounds]) for name in commands}
    result["peak_mb"] = memory
    # How many times as long PyTorch takes; the rival is the faster of its two forms.
    result["ratio"] = {n: quartiles([r[n] / r["isodrop"] for r in rounds]) for n in commands if n != "isodrop"}
    result["rival"] = min(result["ratio"], key=lambda n: result["ratio"][n]["median"])
    result["rounds"] = rounds
    return result


def show(result):
    print(f"{result['preset']}, B {result['batch']}, dropout {result['dropout']}, {result['threads']} threads, "
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
    p = argparse.ArgumentParser(description="isodrop's training step against PyTorch's, interleaved.")
    p.add_argument("--preset", choices=BATCH, nargs="+", default=["nano"])
    p.add_argument("--dropout", type=float, nargs="+", default=[0.0, 0.1])
    p.add_argument("--batch", type=int, help="default: tiny 16, nano 12, char 8, gpt2 1")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--compile", action="store_true", help="torch.compile as a third side")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--warmup", type=int, default=2, help="rounds that do not count")
    p.add_argument("--steps", type=int, default=5, help="steps a turn; a turn's figure is their median")
    p.add_argument("--isodrop", default=BENCH, help="isodrop's side (default: build/release/benchmarks/bench_step)")
    p.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line, raw rounds included")
    a = p.parse_args()
    for name in ("rounds", "steps", "threads"):
        if getattr(a, name) < 1:
            p.error(f"--{name} {getattr(a, name)}: must be at least 1")
    if not os.access(a.isodrop, os.X_OK):
        p.error(f"{a.isodrop} is not there; build it with: scripts/bench")
    for preset in a.preset:
        for dropout in a.dropout:
            result = compare(a, preset, dropout)
            print(json.dumps(result), flush=True) if a.format == "json" else show(result)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
