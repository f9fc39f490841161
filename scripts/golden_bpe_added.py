#!/usr/bin/env python3
"""Writes tests/golden/bpe/added.json: the tokens that transformers' GPT2Tokenizer (the one in Python) makes
with tests/golden/bpe's vocab.json and merges.txt and with files of added tokens beside them. Needs the
package `transformers` below version 5 (PyPI). The tests need neither that package nor this script.

usage: scripts/golden_bpe_added.py
"""
import json
import pathlib
import shutil
import tempfile

import transformers

BPE = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/bpe"
TEXT = "a<|pad|>b<mask> <|endoftext|> <s><|pad|"


def token(content, **more):
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False,
            "single_word": False, **more}


def listed(i, content):
    return {"id": i, "special": True, **token(content)}


FOLDERS = [
    {},
    {"added_tokens.json": {"<|pad|>": 600}},
    {"added_tokens.json": {"<mask>": 601, "<|pad|>": 600}},
    {"special_tokens_map.json": {"pad_token": "<|pad|>", "mask_token": token("<mask>"), "bos_token": "<s>"}},
    {"special_tokens_map.json": {"additional_special_tokens": ["<mask>", token("<|pad|>")]}},
    {"special_tokens_map.json": {"pad_token": "<|pad|>", "mask_token": "<mask>"},
     "added_tokens.json": {"<|pad|>": 601, "<s>": 600}},
    {"tokenizer_config.json": {"pad_token": "<|pad|>", "sep_token": token("<s>", __type="AddedToken"),
                               "mask_token": None, "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}},
    {"tokenizer_config.json": {"pad_token": "<s>", "additional_special_tokens": ["<mask>"]},
     "special_tokens_map.json": {"pad_token": "<|pad|>", "additional_special_tokens": ["<s>"]}},
    {"tokenizer_config.json": {"added_tokens_decoder": {"601": token("<|pad|>", special=True), "600": token("<s>")},
                               "mask_token": "<mask>"},
     "added_tokens.json": {"b": 602}, "special_tokens_map.json": {"sep_token": "a"}},
    {"tokenizer.json": {"added_tokens": [listed(0, "<|endoftext|>"), listed(600, "<mask>")]}},
    {"tokenizer.json": {"added_tokens": [listed(601, "<mask>")]}, "added_tokens.json": {"<s>": 600}},
]


def main():
    lines = []
    for files in FOLDERS:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("vocab.json", "merges.txt"):
                shutil.copy(BPE / name, folder)
            for name, content in files.items():
                (pathlib.Path(folder) / name).write_text(json.dumps(content))
            tokenizer = transformers.GPT2Tokenizer.from_pretrained(folder)
            lines.append(json.dumps({"files": files, "vocab": len(tokenizer), "ids": tokenizer(TEXT)["input_ids"]}))
    (BPE / "added.json").write_text(
        f'{{"transformers": "{transformers.__version__}", "text": {json.dumps(TEXT)}, "cases": [\n'
        + ",\n".join(lines) + "\n]}\n")


main()
