#!/usr/bin/env python3
"""Times `isodrop sample` in turns with nanoGPT's sampling loop in PyTorch, one text at a time.

nanoGPT's loop has no cache: it makes a whole forward pass over the last T tokens for every token, with the head
on the last position only, temperature 0.8 and top_k 200. PyTorch's time is that of the loop after warm-up;
isodrop's is that of the whole command, including start and loading the weights. Ratios are taken within a
round, so that a busy machine disturbs both alike.

    scripts/run train --preset char --text tinyshakespeare.txt --budget 2steps --out out/char
    python3 benchmarks/peers/compare_sample.py --run out/char --preset char --threads 2
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

from peer import PRESETS, import_torch, timed_ms

torch = import_torch()
from torch.nn import functional as F  # noqa: E402

from torch_step import GPT  # noqa: E402

ISODROP = pathlib.Path(__file__).resolve().parent.parent.parent / "build/release/isodrop"


@torch.no_grad()
def sample(model, context, tokens, temperature=0.8, top_k=200):
    ids = torch.zeros((1, 1), dtype=torch.long)
    for _ in range(tokens):
        seen = ids[:, -context:]
        h = model.wte(seen) + model.wpe.weight[: seen.shape[1]]
        for block in model.blocks:
            h = block(h)
        logits = F.linear(model.ln_f(h[:, -1]), model.wte.weight) / temperature
        least = torch.topk(logits, min(top_k, logits.shape[-1])).values[:, -1:]
        chances = F.softmax(logits.masked_fill(logits < least, -float("inf")), dim=-1)
        ids = torch.cat((ids, torch.multinomial(chances, 1)), dim=1)
    return ids


def main():
    p = argparse.ArgumentParser(description="isodrop sample against nanoGPT's loop in PyTorch, in turns.")
    p.add_argument("--run", required=True, help="folder of a run of isodrop train with the preset's sizes")
    p.add_argument("--preset", choices=PRESETS, default="char")
    p.add_argument("--tokens", type=int, nargs="+", default=[250, 500])
    p.add_argument("--keep", help="--keep of isodrop sample; the preset's T does what nanoGPT does")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=7)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    layers, heads, channels, context, _, vocab, bias = PRESETS[a.preset]
    model = GPT(layers, heads, channels, context, vocab, bias, 0.0).eval()
    sample(model, context, 20)
    for tokens in a.tokens:
        command = [str(ISODROP), "sample", a.run, "--tokens", str(tokens), "--threads", str(a.threads)]
        command += ["--keep", a.keep] if a.keep else []

        def ours():
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  env=os.environ | {"OMP_NUM_THREADS": str(a.threads)})
            if done.returncode != 0:
                sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")

        ours()
        rates, ratios = {"isodrop": [], "torch": []}, []
        for index in range(a.rounds):
            turn = {}
            for name in ("isodrop", "torch") if index % 2 == 0 else ("torch", "isodrop"):
                turn[name] = timed_ms(ours if name == "isodrop" else lambda: sample(model, context, tokens))
                rates[name].append(1e3 * tokens / turn[name])
            ratios.append(turn["torch"] / turn["isodrop"])
        print(f"{a.preset}, {tokens} tokens, {a.threads} threads, {a.rounds} rounds: median [least, most]")
        for name, values in {**rates, "ratio": ratios}.items():
            unit = "x" if name == "ratio" else "tokens/s"
            print(f"  {name:8} {statistics.median(values):8.1f} {unit}  [{min(values):.1f}, {max(values):.1f}]")


main()
