#!/usr/bin/env python3
"""Writes tests/golden/sp: small SentencePiece models of the kinds that readers get wrong, and the ids
that the library itself gives. Needs the package `sentencepiece` (PyPI). The tests need neither that
package nor this script.

usage: scripts/golden_sp.py
"""
import io
import json
import pathlib
import tempfile

import sentencepiece

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/sp"
PROSE = ["The rate of dropout is 0.1, and that of the other  rates is none.",
         "indented lines are text, too: again and again, line by line",
         "def f(x): return x + 1 # Grüße"] * 30
LINES = ["\n", "\n\n", "x\ny", "<|im_end|>\n"]
MODELS = {
    "lines": dict(user_defined_symbols=LINES),
    "lines_prefix": dict(user_defined_symbols=LINES, add_dummy_prefix=True),
    "lines_unigram": dict(user_defined_symbols=LINES, model_type="unigram", vocab_size=340),
    "over_blanks": dict(split_by_whitespace=False, vocab_size=400),
    "no_blank": dict(sentence_iterator=["道可道非常道名可名非常名"] * 60, vocab_size=272),
}
TEXTS = ["", "a\nb", "a\n\nb", "\n", "\n\n\n b", "a\n \n\n", "\n\n\n\n\n", "x\nyx\n\nyx\n",
         "of the other  rates\n\n  again and again\n", "<|im_end|>\n\n<|im_end|>", "a\tb\r\n\r\n",
         "Grüße \u4f60\u597d\n\u0301e\n", "rate of the rate of  the\nrate"]
BARE = ["道可道", "名可名\n非常名\n\n", "x\ny道", "\u2585\n"]
LONG = ["The rate of dropout\n\nis 0.1\n", "again and again, line by line x\ny "]
RULE = "FB01\t66 69\n"  # ﬁ becomes fi: a model that changes text, though not the text it is probed with
LEAD = "\x01"  # keeps the blank that a model puts before every text apart from the text


def train(sentence_iterator=None, **how):
    """The bytes of a model."""
    out = io.BytesIO()
    all_of = dict(model_type="bpe", vocab_size=330, add_dummy_prefix=False, byte_fallback=True,
                  normalization_rule_name="identity", remove_extra_whitespaces=False,
                  hard_vocab_limit=False, minloglevel=3, num_threads=1)
    sentencepiece.SentencePieceTrainer.train(
        model_writer=out, sentence_iterator=iter(sentence_iterator or PROSE), **{**all_of, **how})
    return out.getvalue()


def checksum(ids):
    """Of many ids, with their places."""
    return sum((i + 1) * x for i, x in enumerate(ids)) % (1 << 61)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    models = {}
    for name, how in MODELS.items():
        model = train(**how)
        (OUT / f"{name}.model").write_bytes(model)
        library = sentencepiece.SentencePieceProcessor(model_proto=model)
        prefixed = how.get("add_dummy_prefix", False)
        skip = len(library.encode(LEAD))

        def ids(text):
            return library.encode(LEAD + text)[skip:] if prefixed else library.encode(text)

        bare = name == "no_blank"  # its blanks would not come back from the library's ids
        models[name] = {
            # Of a unigram model two ways may be equally likely; which is taken differs by version.
            "cases": [{"text": t, "ids": ids(t)} for t in (BARE if bare else TEXTS)
                      if name != "lines_unigram" or "\n\n\n" not in t],
            "long": [{"text": t, "times": n, "count": len(ids(t * n)), "checksum": checksum(ids(t * n))}
                     for t in LONG if not bare for n in [140_000 // len(t)]]}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rule:
        rule.write(RULE)
        rule.flush()
        (OUT / "changes.model").write_bytes(
            train(normalization_rule_name="user_defined", normalization_rule_tsv=rule.name))
    (OUT / "cases.json").write_text(json.dumps(
        {"sentencepiece": sentencepiece.__version__, "models": models}, ensure_ascii=False) + "\n")


main()
