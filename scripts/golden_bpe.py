#!/usr/bin/env python3
"""Writes tests/golden/bpe: a small byte-level BPE of GPT-2's kind, and the tokens that Hugging Face's
tokenizers make of hostile text with it. Needs the package `tokenizers` (PyPI). The tests need
neither that package nor this script.

usage: scripts/golden_bpe.py [TEXT]     TEXT: the text to train the vocabulary on (default: README.md)
"""
import json
import pathlib
import random
import sys
import unicodedata

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "tests/golden/bpe"
VOCAB = 600
END = "<|endoftext|>"


def hostile():
    """Texts that tokenizers get wrong: signs, blanks, marks, scripts, what looks like a token."""
    yield from [
        "", " ", "  ", "   a", "a   ", "a  b\n\n\tc \r\n d", "\n\n\n", " \n", "\t\t x",
        "I'll don't we're you've I'm he'd it's 'S 'LL o''clock 's't", "l\u2019\u00e9t\u00e9",
        "123 4567 1,234.5e-6 \u0663\u0664 \u00bd\u2163 x2y", "!!! ... --- <|endof|> <|endoftext| |>",
        f"one{END}two", f"{END}{END} {END}\n", f" {END} ", "<|endoftext", "a\x00b\x01\x7f",
        "\u00a0\u00a0x\u2003y\u3000z\u2028w\u2029", "\x85a \x85", "\u180ea \u180e\u180e b",
        "\u200bzero\u200b width\u200d\ufeff", "e\u0301 e\u0301e\u0301", "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\u4f60\u597d\uff0c\u4e16\u754c", "\u0417\u0434\u0440\u0430\u0432 \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
        "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f", "\U0010ffff\ue000\ufffd\ufffe",
        "aaaaaaaaaaaaaaaaaaaaaaaaa", "the the the dropoutdropout", "\u0130\u0131\u00df\u1e9e\ufb01",
        "\x1c\x1d\x1e\x1f x", "\u2581\u2581a \u2581", "# #\n#version: 0.2\n",
    ]
    draw = random.Random(7)
    known = [c for c in map(chr, range(0x110000))
             if unicodedata.category(c) not in ("Cn", "Cs", "Co")]
    for _ in range(60):
        yield "".join(draw.choice([" ", "a", "1", "\n", "'", *draw.sample(known, 6)])
                      for _ in range(draw.randrange(1, 24)))


def main():
    text = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "README.md")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train([str(text)], trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=[END], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    OUT.mkdir(parents=True, exist_ok=True)
    tokenizer.model.save(str(OUT))
    tokenizer.save(str(OUT / "tokenizer.json"), pretty=False)
    cases = [{"text": t, "ids": tokenizer.encode(t).ids} for t in hostile()]
    for case in cases:
        assert tokenizer.decode(case["ids"], skip_special_tokens=False) == case["text"]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (OUT / "cases.json").write_text(f'{{"tokenizers": "{tokenizers.__version__}", "cases": [\n{lines}\n]}}\n')


main()
