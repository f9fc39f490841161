#!/usr/bin/env python3
"""Writes golden values: what PyTorch computes for a GPT of any configuration.

The model is GPT-2 in plain tensor arithmetic, with GPT-2's parameter names and layout (weights are
(in, out)). It computes in float64 from float32 parameters, so that the reference is exact to the last
float32 digit, and stores float32. tests/golden/format.md describes the file.

    python3 scripts/golden.py --n-layer 4 --n-head 4 --n-embd 128 --block-size 64 --out nano.safetensors
    ISODROP_GOLDEN=nano.safetensors scripts/test -R golden
"""

import argparse
import ctypes
import json
import math
import os
import struct
import sys

try:
    import torch
except ImportError:
    print(
        f"golden.py: {sys.executable} has no PyTorch; install it with\n"
        "  python3 -m venv torch-env && torch-env/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu\n"
        "and run this script with torch-env/bin/python3",
        file=sys.stderr,
    )
    sys.exit(2)


# --- parameters ---------------------------------------------------------------------------------


def parameter_shapes(c):
    """Name -> shape, in the order of the forward pass. Only what the configuration has."""
    shapes = {"wte.weight": (c.vocab, c.n_embd), "wpe.weight": (c.block_size, c.n_embd)}

    def linear(name, fan_in, fan_out):
        shapes[f"{name}.weight"] = (fan_in, fan_out)
        if c.bias:
            shapes[f"{name}.bias"] = (fan_out,)

    def norm(name, width=c.n_embd):
        if c.norm == "none":
            return
        shapes[f"{name}.weight"] = (width,)
        if c.bias and c.norm == "layernorm":
            shapes[f"{name}.bias"] = (width,)

    for i in range(c.n_layer):
        norm(f"h.{i}.ln_1")
        linear(f"h.{i}.attn.c_attn", c.n_embd, 3 * c.n_embd)
        if c.qk_norm:
            shapes[f"h.{i}.attn.q_norm.weight"] = (c.n_embd // c.n_head,)
            shapes[f"h.{i}.attn.k_norm.weight"] = (c.n_embd // c.n_head,)
        linear(f"h.{i}.attn.c_proj", c.n_embd, c.n_embd)
        if c.norm_place == "sandwich":
            norm(f"h.{i}.ln_1_post")
        norm(f"h.{i}.ln_2")
        linear(f"h.{i}.mlp.c_fc", c.n_embd, c.mlp_hidden * (2 if c.activation == "swiglu" else 1))
        linear(f"h.{i}.mlp.c_proj", c.mlp_hidden, c.n_embd)
        if c.norm_place == "sandwich":
            norm(f"h.{i}.ln_2_post")
    if c.norm_place in ("pre", "sandwich"):
        norm("ln_f")
    return shapes


def random_parameters(c, generator):
    """Nothing is 0 or 1: a term that is left out, or a wrong sign, must show."""
    parameters = {}
    for name, shape in parameter_shapes(c).items():
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        is_norm = "ln_" in name or "_norm" in name
        if len(shape) == 1:
            value = 0.1 * noise + (1 if is_norm and name.endswith("weight") else 0)
        elif name == "wte.weight":
            value = noise / math.sqrt(c.n_embd)
        elif name == "wpe.weight":
            value = 0.5 * noise / math.sqrt(c.n_embd)
        else:
            value = 0.8 * noise / math.sqrt(shape[0])
        parameters[name] = value.float().double()  # what is stored is what is computed with
    return parameters


# --- the model ----------------------------------------------------------------------------------


def forward(c, p, x):
    """x (B,T) -> logits (B,T,V)."""
    B, T = x.shape
    C, NH = c.n_embd, c.n_head
    hs = C // NH

    def linear(h, name):
        out = h @ p[f"{name}.weight"]
        return out + p[f"{name}.bias"] if c.bias else out

    def rms(h, weight):
        return h / torch.sqrt(h.pow(2).mean(-1, keepdim=True) + c.norm_eps) * weight

    def norm(h, name):
        if c.norm == "none":
            return h
        if c.norm == "rmsnorm":
            return rms(h, p[f"{name}.weight"])
        centred = h - h.mean(-1, keepdim=True)
        out = centred / torch.sqrt(centred.pow(2).mean(-1, keepdim=True) + c.norm_eps)
        out = out * p[f"{name}.weight"]
        return out + p[f"{name}.bias"] if c.bias else out

    def attention(h, i):
        qkv = linear(h, f"h.{i}.attn.c_attn")  # (B,T,3C)
        q, k, v = (part.reshape(B, T, NH, hs).transpose(1, 2) for part in qkv.split(C, dim=-1))
        if c.qk_norm:
            q, k = rms(q, p[f"h.{i}.attn.q_norm.weight"]), rms(k, p[f"h.{i}.attn.k_norm.weight"])
        scores = q @ k.transpose(-1, -2) / math.sqrt(hs)  # (B,NH,T,T)
        later = torch.ones(T, T, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(later, -math.inf).softmax(-1)
        return linear((weights @ v).transpose(1, 2).reshape(B, T, C), f"h.{i}.attn.c_proj")

    def activation(h):
        if c.activation == "gelu":
            return 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h.pow(3))))
        if c.activation == "relu":
            return h.clamp(min=0)
        if c.activation == "selu":
            scale, alpha = 1.0507009873554805, 1.6732632423543772
            return scale * torch.where(h > 0, h, alpha * torch.expm1(h.clamp(max=0)))
        gate, value = h.split(c.mlp_hidden, dim=-1)  # swiglu
        return gate * torch.sigmoid(gate) * value

    def mlp(h, i):
        return linear(activation(linear(h, f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj")

    # deepnorm (arXiv 2203.00555), decoder only: the residual is scaled before the norm that follows it.
    alpha = (2 * c.n_layer) ** 0.25 if c.norm_place == "deepnorm" else 1.0

    def branch(h, function, i, name):
        if c.norm_place == "pre":
            return h + function(norm(h, name), i)
        if c.norm_place == "sandwich":
            return h + norm(function(norm(h, name), i), f"{name}_post")
        return norm(alpha * h + function(h, i), name)  # post, deepnorm

    h = p["wte.weight"][x] + p["wpe.weight"][:T]
    for i in range(c.n_layer):
        h = branch(h, attention, i, f"h.{i}.ln_1")
        h = branch(h, mlp, i, f"h.{i}.ln_2")
    if c.norm_place in ("pre", "sandwich"):
        h = norm(h, "ln_f")
    return h @ p["wte.weight"].T


def loss_and_gradients(c, p, x, y):
    for value in p.values():
        value.grad = None
    logits = forward(c, p, x)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
    loss.backward()
    return loss.item(), logits.detach()


def training(c, p, x, y):
    """Losses and unclipped gradient norms of c.steps AdamW steps, each before its update."""
    optimizer = torch.optim.AdamW(
        [
            {"params": [v for v in p.values() if v.dim() >= 2], "weight_decay": c.weight_decay},
            {"params": [v for v in p.values() if v.dim() < 2], "weight_decay": 0.0},
        ],
        lr=c.lr,
        betas=(c.beta1, c.beta2),
        eps=c.adam_eps,
    )
    losses, norms = [], []
    for step in range(c.steps):
        losses.append(loss_and_gradients(c, p, x[step], y[step])[0])
        limit = c.clip if c.clip > 0 else math.inf
        norms.append(torch.nn.utils.clip_grad_norm_(p.values(), limit).item())
        optimizer.step()
    return losses, norms


# --- the file -----------------------------------------------------------------------------------


def write_safetensors(path, tensors, metadata):
    """tensors: name -> float32 or int32 tensor. Atomic: a reader never sees half a file."""
    dtypes = {torch.float32: "F32", torch.int32: "I32"}
    header, offset = {"__metadata__": metadata}, 0
    tensors = {name: t.contiguous() for name, t in tensors.items()}
    for name, t in tensors.items():
        header[name] = {"dtype": dtypes[t.dtype], "shape": list(t.shape), "data_offsets": [offset, offset + t.nbytes]}
        offset += t.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    part = f"{path}.part"
    with open(part, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            file.write(ctypes.string_at(t.data_ptr(), t.nbytes))
    os.replace(part, path)


def arguments():
    a = argparse.ArgumentParser(
        description="Writes golden values of a GPT computed by PyTorch.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    a.add_argument("--n-layer", type=int, default=2)
    a.add_argument("--n-head", type=int, default=2)
    a.add_argument("--n-embd", type=int, default=16)
    a.add_argument("--block-size", type=int, default=8, help="T")
    a.add_argument("--batch", type=int, default=3, help="B")
    a.add_argument("--vocab", type=int, default=13, help="V")
    a.add_argument("--bias", type=int, choices=(0, 1), default=0, help="biases in linear layers and layernorms")
    a.add_argument("--activation", choices=("gelu", "relu", "selu", "swiglu"), default="gelu")
    a.add_argument("--mlp-hidden", type=int, help="width of the hidden layer of the MLP (default: 4 * n_embd)")
    a.add_argument("--norm", choices=("layernorm", "rmsnorm", "none"), default="layernorm")
    a.add_argument("--norm-place", choices=("pre", "post", "sandwich", "deepnorm"), default="pre")
    a.add_argument("--norm-eps", type=float, default=1e-5)
    a.add_argument("--qk-norm", type=int, choices=(0, 1), default=0, help="RMS-norm of each head's q and k")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--steps", type=int, default=10)
    a.add_argument("--lr", type=float, default=1e-3, help="constant")
    a.add_argument("--weight-decay", type=float, default=0.1, help="of matrices, embeddings included")
    a.add_argument("--beta1", type=float, default=0.9)
    a.add_argument("--beta2", type=float, default=0.99)
    a.add_argument("--adam-eps", type=float, default=1e-8)
    a.add_argument("--clip", type=float, default=1.0, help="global gradient norm; 0: no clipping")
    a.add_argument("--out", required=True)
    c = a.parse_args()
    if c.mlp_hidden is None:
        c.mlp_hidden = 4 * c.n_embd
    for name in ("n_layer", "n_head", "n_embd", "block_size", "batch", "vocab", "mlp_hidden", "steps"):
        if getattr(c, name) < 1:
            a.error(f"--{name.replace('_', '-')} {getattr(c, name)}: must be at least 1")
    if c.n_embd % c.n_head:
        a.error(f"--n-head {c.n_head} does not divide --n-embd {c.n_embd}")
    return c


def main():
    c = arguments()
    torch.set_default_dtype(torch.float64)
    generator = torch.Generator().manual_seed(c.seed)
    initial = random_parameters(c, generator)
    tokens = torch.randint(c.vocab, (c.steps, c.batch, c.block_size + 1), generator=generator)
    x, y = tokens[..., :-1], tokens[..., 1:]

    p = {name: value.clone().requires_grad_() for name, value in initial.items()}
    _, logits = loss_and_gradients(c, p, x[0], y[0])
    gradients = {name: value.grad.clone() for name, value in p.items()}
    losses, norms = training(c, p, x, y)

    tensors = {"x": x.int(), "y": y.int(), "logits": logits.float()}
    tensors["losses"] = torch.tensor(losses).float()
    tensors["grad_norms"] = torch.tensor(norms).float()
    tensors |= {f"param/{name}": value.float() for name, value in initial.items()}
    tensors |= {f"grad/{name}": value.float() for name, value in gradients.items()}
    config = {name: value for name, value in vars(c).items() if name != "out"}
    metadata = {"format": "isodrop-golden", "version": "1", "torch": torch.__version__, "config": json.dumps(config)}
    write_safetensors(c.out, tensors, metadata)
    print(f"{c.out}: {os.path.getsize(c.out)} bytes, losses {losses[0]:.4f} ... {losses[-1]:.4f}", file=sys.stderr)


if __name__ == "__main__":
    main()
