"""What the peers share: the models, finding torch, statistics, and serving a driver."""

import statistics
import sys
import time

# layers, heads, channels, T, B, V, biases: as isodrop's presets; V is that of tinyshakespeare
PRESETS = {
    "tiny": (2, 2, 64, 64, 16, 65, False),
    "nano": (4, 4, 128, 64, 12, 65, False),
    "char": (6, 6, 384, 256, 64, 65, False),
    "gpt2": (12, 12, 768, 1024, 1, 50257, True),
}


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
