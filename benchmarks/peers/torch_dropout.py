#!/usr/bin/env python3
"""Times torch.nn.functional.dropout on one float32 tensor, and a plain copy of it for comparison.

    python3 benchmarks/peers/torch_dropout.py --size 262144 --threads 1 --format json
"""

import argparse
import json

from peer import import_torch, serve, spread, timed_ms

torch = import_torch()


def main():
    p = argparse.ArgumentParser(description="Times torch.nn.functional.dropout in training mode.")
    p.add_argument("--size", type=int, default=262144, help="elements (default 262144: 1 MB)")
    p.add_argument("--rate", type=float, default=0.1)
    p.add_argument("--threads", type=int, help="default: PyTorch's choice")
    p.add_argument("--calls", type=int, default=100, help="timed calls")
    p.add_argument("--backward", action="store_true", help="time forward and backward together")
    p.add_argument("--format", choices=("text", "json"), default="text")
    p.add_argument("--serve", action="store_true", help='print "ready", then for each input line N the median ms of N calls')
    a = p.parse_args()
    if a.size < 1:
        p.error(f"--size {a.size}: must be at least 1")
    if not 0 <= a.rate < 1:
        p.error(f"--rate {a.rate}: must be in [0, 1)")
    if a.threads:
        torch.set_num_threads(a.threads)

    x = torch.randn(a.size, requires_grad=a.backward)
    target, source, dout = torch.empty(a.size), torch.randn(a.size), torch.randn(a.size)

    def dropout():
        y = torch.nn.functional.dropout(x, a.rate, True)
        if a.backward:
            x.grad = None
            y.backward(dout)

    def copy():
        target.copy_(source)

    for _ in range(5):
        dropout()
        copy()
    if a.serve:
        serve(dropout)
        return
    # Alternating, so that both meet the same disturbances.
    pairs = [(timed_ms(dropout), timed_ms(copy)) for _ in range(a.calls)]
    ms, copy_ms = spread([d for d, _ in pairs]), spread([c for _, c in pairs])
    result = {
        "size": a.size,
        "rate": a.rate,
        "threads": torch.get_num_threads(),
        "backward": a.backward,
        "torch": torch.__version__,
        "ms": ms,
        "copy_ms": copy_ms,
        "ns_per_element": ms["median"] * 1e6 / a.size,
    }
    if a.format == "json":
        print(json.dumps(result))
    else:
        print(f"PyTorch {torch.__version__}, dropout of {a.size} elements, {result['threads']} threads: "
              f"{ms['median']:.3f} ms (min {ms['min']:.3f}, max {ms['max']:.3f}), "
              f"{result['ns_per_element']:.2f} ns an element, {ms['median'] / copy_ms['median']:.1f} x a copy")


if __name__ == "__main__":
    main()
