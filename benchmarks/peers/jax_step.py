#!/usr/bin/env python3
"""Times a training step of a GPT-2 shaped model in JAX on the CPU; compare_step.py runs this.

The model and the step are torch_step.py's (batch, forward, backward, clipping, AdamW), compiled as one
function; JAX chooses its kernels and its threads, as many as the process may use.

    python3 benchmarks/peers/jax_step.py --preset nano --dropout 0.1
"""

import argparse
import functools
import os
import sys

from peer import PRESETS, serve, spread, timed_ms

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    print(f"{sys.argv[0]}: {sys.executable} has no JAX; install it with pip install jax", file=sys.stderr)
    sys.exit(2)


def make_parameters(preset, T, key):
    layers, _, C, _, _, V, bias = PRESETS[preset]
    keys = iter(jax.random.split(key, 4 * layers + 2))

    def linear(i, o):
        w = {"w": 0.02 * jax.random.normal(next(keys), (i, o))}
        return w | ({"b": jnp.zeros(o)} if bias else {})

    def norm():
        return {"g": jnp.ones(C)} | ({"b": jnp.zeros(C)} if bias else {})

    blocks = [
        {"ln_1": norm(), "qkv": linear(C, 3 * C), "out": linear(C, C), "ln_2": norm(), "up": linear(C, 4 * C), "down": linear(4 * C, C)}
        for _ in range(layers)
    ]
    return {
        "wte": 0.02 * jax.random.normal(next(keys), (V, C)),
        "wpe": 0.02 * jax.random.normal(next(keys), (T, C)),
        "blocks": blocks,
        "ln_f": norm(),
    }


def linear(p, x):
    return x @ p["w"] + p.get("b", 0)


def norm(p, x):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p["g"] + p.get("b", 0)


def loss_of(p, tokens, key, heads, rate):
    x, y = tokens[:, :-1], tokens[:, 1:]
    B, T = x.shape
    keys = iter(jax.random.split(key, 3 * len(p["blocks"]) + 1))

    def drop(h):
        return h if rate == 0 else jnp.where(jax.random.bernoulli(next(keys), 1 - rate, h.shape), h / (1 - rate), 0)

    h = drop(p["wte"][x] + p["wpe"][:T])
    causal = jnp.tril(jnp.ones((T, T), bool))
    for block in p["blocks"]:
        q, k, v = jnp.split(linear(block["qkv"], norm(block["ln_1"], h)), 3, -1)
        q, k, v = (t.reshape(B, T, heads, -1).transpose(0, 2, 1, 3) for t in (q, k, v))
        s = jnp.where(causal, q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5, -jnp.inf)
        a = drop(jax.nn.softmax(s, -1)) @ v
        h = h + drop(linear(block["out"], a.transpose(0, 2, 1, 3).reshape(B, T, -1)))
        h = h + drop(linear(block["down"], jax.nn.gelu(linear(block["up"], norm(block["ln_2"], h)), approximate=True)))
    logits = norm(p["ln_f"], h) @ p["wte"].T
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1).mean()


@functools.partial(jax.jit, static_argnums=(5, 6, 7, 8), donate_argnums=(0, 1, 2))
def train_step(p, m, v, data, state, heads, rate, B, T):
    key, t = state
    key, batch_key, mask_key = jax.random.split(key, 3)
    starts = jax.random.randint(batch_key, (B,), 0, len(data) - T - 1)
    tokens = data[starts[:, None] + jnp.arange(T + 1)]
    g = jax.grad(loss_of)(p, tokens, mask_key, heads, rate)
    norm2 = sum(jnp.vdot(x, x) for x in jax.tree.leaves(g))
    clip = jnp.minimum(1, 1 / (jnp.sqrt(norm2) + 1e-6))
    g = jax.tree.map(lambda x: x * clip, g)
    m = jax.tree.map(lambda a, x: 0.9 * a + 0.1 * x, m, g)
    v = jax.tree.map(lambda a, x: 0.99 * a + 0.01 * x * x, v, g)
    t = t + 1

    def update(w, a, b):
        keep = 1 - 1e-4 * 0.1 if w.ndim >= 2 else 1
        return keep * w - 1e-4 * (a / (1 - 0.9**t)) / (jnp.sqrt(b / (1 - 0.99**t)) + 1e-8)

    return jax.tree.map(update, p, m, v), m, v, (key, t)


def main():
    p = argparse.ArgumentParser(description="Times JAX's training step of a GPT-2 shaped model on the CPU.")
    p.add_argument("--preset", choices=PRESETS, default="nano")
    p.add_argument("--batch", type=int, help="default: the preset's")
    p.add_argument("--block-size", type=int, help="T; default: the preset's")
    p.add_argument("--dropout", type=float, default=0.0)
    p.add_argument("--threads", type=int, help="restricts the process to this many cores, because JAX has no other setting")
    p.add_argument("--steps", type=int, default=30, help="timed steps")
    p.add_argument("--serve", action="store_true", help='print "ready", then for each input line N the median ms of N steps')
    a = p.parse_args()
    if a.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: a.threads])
    _, heads, _, T, B, V, _ = PRESETS[a.preset]
    T, B = a.block_size or T, a.batch or B
    key = jax.random.PRNGKey(1)
    parameters = make_parameters(a.preset, T, key)
    moments = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    data = jax.random.randint(key, (1_000_000,), 0, V)
    world = [parameters, *moments, (key, jnp.array(0.0))]

    def step():
        world[0], world[1], world[2], world[3] = train_step(world[0], world[1], world[2], data, world[3], heads, a.dropout, B, T)
        jax.block_until_ready(world[0])

    for _ in range(3):
        step()
    if a.serve:
        serve(step)
        return
    ms = spread([timed_ms(step) for _ in range(a.steps)])
    print(f"JAX {jax.__version__}, {a.preset}, B {B}, dropout {a.dropout}: {ms['median']:.2f} ms a step "
          f"(min {ms['min']:.2f}, max {ms['max']:.2f})")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
