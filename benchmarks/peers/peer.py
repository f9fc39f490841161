"""What the PyTorch peers share: finding torch, statistics, and serving a driver."""

import statistics
import sys
import time


def import_torch():
    try:
        import torch
    except ImportError:
        print(
            f"{sys.argv[0]}: {sys.executable} has no PyTorch; install it with\n"
            "  python3 -m venv torch-env && torch-env/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu\n"
            "and run this script with torch-env/bin/python3",
            file=sys.stderr,
        )
        sys.exit(2)
    return torch


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def timed_ms(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


def serve(function):
    """Says "ready"; then, for each line "N" or "step N", runs N times and prints the median ms of one."""
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        if not words:
            break
        if not words[-1].isdigit() or int(words[-1]) < 1:
            sys.exit(f"{sys.argv[0]}: expected a line 'N', got '{line.strip()}'")
        print(f"{statistics.median(timed_ms(function) for _ in range(int(words[-1]))):.6f}", flush=True)
