#!/usr/bin/env python3
"""Times a training step of a GPT-2 shaped model in PyTorch; compare_step.py runs this.

A step has everything: drawing a batch, forward, backward, clipping, AdamW. The model is written the way
PyTorch is fastest at it: scaled_dot_product_attention and the better of its AdamW implementations.

    python3 benchmarks/peers/torch_step.py --preset nano --dropout 0.1
"""

import argparse
import json
import sys

from peer import PRESETS, import_torch, serve, spread, timed_ms

torch = import_torch()
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402


class Block(nn.Module):
    def __init__(self, heads, channels, bias, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ln_1 = nn.LayerNorm(channels, bias=bias)
        self.qkv = nn.Linear(channels, 3 * channels, bias=bias)
        self.out = nn.Linear(channels, channels, bias=bias)
        self.ln_2 = nn.LayerNorm(channels, bias=bias)
        self.up = nn.Linear(channels, 4 * channels, bias=bias)
        self.down = nn.Linear(4 * channels, channels, bias=bias)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(self.ln_1(x)).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        p = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=p)
        y = self.out(y.transpose(1, 2).reshape(B, T, C))
        x = x + F.dropout(y, p, self.training)
        y = self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))
        return x + F.dropout(y, p, self.training)


class GPT(nn.Module):
    def __init__(self, layers, heads, channels, T, V, bias, dropout):
        super().__init__()
        self.dropout = dropout
        self.wte, self.wpe = nn.Embedding(V, channels), nn.Embedding(T, channels)
        self.blocks = nn.ModuleList(Block(heads, channels, bias, dropout) for _ in range(layers))
        self.ln_f = nn.LayerNorm(channels, bias=bias)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, x, y):
        h = self.wte(x) + self.wpe.weight[: x.shape[1]]
        h = F.dropout(h, self.dropout, self.training)
        for block in self.blocks:
            h = block(h)
        logits = F.linear(self.ln_f(h), self.wte.weight)
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def make_optimizer(model, kind):
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.99), fused=kind == "fused", foreach=kind == "foreach")


def faster_optimizer(model):
    """Which AdamW is the faster one here: the fused kernel or the one over lists of tensors."""
    best = {}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    for kind in ("fused", "foreach"):
        optimizer = make_optimizer(model, kind)
        optimizer.step()
        best[kind] = min(timed_ms(optimizer.step) for _ in range(5))
    for p in model.parameters():
        p.grad = None
    return min(best, key=best.get)


def make_step(a):
    """A function that takes one whole training step, and the name of the optimizer it uses."""
    layers, heads, channels, T, _, V, bias = PRESETS[a.preset]
    T = a.block_size or T
    torch.manual_seed(1)
    data = torch.randint(V, (1_000_000,))
    model = GPT(layers, heads, channels, T, V, bias, a.dropout).train()
    kind = faster_optimizer(model) if a.adamw == "best" else a.adamw
    optimizer = make_optimizer(model, kind)
    compute_loss = torch.compile(model) if a.compile else model

    def step():
        starts = torch.randint(len(data) - T - 1, (a.batch,))
        windows = torch.stack([data[s : s + T + 1] for s in starts])
        loss = compute_loss(windows[:, :-1], windows[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step, kind


def main():
    p = argparse.ArgumentParser(description="Times PyTorch's training step of a GPT-2 shaped model.")
    p.add_argument("--preset", choices=PRESETS, default="nano")
    p.add_argument("--batch", type=int, help="default: the preset's")
    p.add_argument("--block-size", type=int, help="T; default: the preset's")
    p.add_argument("--dropout", type=float, default=0.0, help="embedding, attention weights and both branches")
    p.add_argument("--threads", type=int, help="default: PyTorch's choice")
    p.add_argument("--compile", action="store_true", help="torch.compile the model")
    p.add_argument("--adamw", choices=("best", "fused", "foreach"), default="best")
    p.add_argument("--steps", type=int, default=30, help="timed steps")
    p.add_argument("--warmup", type=int, default=3, help="steps for warm-up")
    p.add_argument("--format", choices=("text", "json"), default="text")
    p.add_argument("--serve", action="store_true", help='print "ready", then for each input line N the median ms of N steps')
    a = p.parse_args()
    a.batch = a.batch or PRESETS[a.preset][4]
    if not 0 <= a.dropout < 1:
        p.error(f"--dropout {a.dropout}: must be in [0, 1)")
    if a.threads:
        torch.set_num_threads(a.threads)

    step, kind = make_step(a)
    for _ in range(a.warmup):
        step()
    if a.serve:
        serve(step)
        return
    ms = spread([timed_ms(step) for _ in range(a.steps)])
    result = {
        "preset": a.preset,
        "batch": a.batch,
        "threads": torch.get_num_threads(),
        "dropout": a.dropout,
        "compile": a.compile,
        "adamw": kind,
        "torch": torch.__version__,
        "ms": ms,
    }
    if a.format == "json":
        print(json.dumps(result))
    else:
        print(f"PyTorch {torch.__version__}, {a.preset}, B {a.batch}, dropout {a.dropout}, {result['threads']} threads: "
              f"{ms['median']:.2f} ms a step (min {ms['min']:.2f}, max {ms['max']:.2f}; {kind} AdamW)")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
