#!/usr/bin/env python3
"""Writes tests/golden/hf_gpt2: a small GPT2LMHeadModel of transformers with random weights, as
transformers saves it, and its logits for a row of tokens. Needs torch, transformers and safetensors (PyPI).

  python3 scripts/golden_hf.py
"""
import pathlib

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/hf_gpt2"


def main():
    torch.manual_seed(7)
    config = GPT2Config(vocab_size=17, n_positions=12, n_embd=16, n_layer=2, n_head=2, n_inner=24,
                        bos_token_id=None, eos_token_id=None)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for p in model.parameters():  # biases and gains too, which begin at 0 and 1
            p.add_(torch.randn_like(p) * 0.2)
    tokens = torch.randint(config.vocab_size, (1, config.n_positions))
    with torch.no_grad():
        logits = model(tokens).logits
    model.save_pretrained(FOLDER)
    (FOLDER / "generation_config.json").unlink(missing_ok=True)
    save_file({"tokens": tokens.to(torch.int32), "logits": logits}, FOLDER / "logits.safetensors")


main()
