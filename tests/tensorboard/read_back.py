#!/usr/bin/env python3
"""Trains with TensorBoard's log and reads it back with the package `tensorboard` (PyPI).

    read_back.py ISODROP        exit code 77, with the reason, where the package is not installed
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray
except ImportError as error:
    print(f"skipped: the package tensorboard is not installed ({error})")
    sys.exit(77)


def main(isodrop: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        command = [isodrop, "train", "--preset", "tiny", "--budget", "60steps", "--eval-interval", "10", "--eval-tokens",
                   "1000", "--log", "jsonl,tensorboard", "--norms-interval", "20", "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True)
        board = EventAccumulator(str(out))
        board.Reload()
        tags = set(board.Tags()["scalars"])
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]

        def scalars(tag: str) -> list[tuple[int, float]]:
            return [(e.step, e.value) for e in board.Scalars(tag)]

        def same(tag: str, key: str) -> None:
            wanted = [(line["step"], line[key]) for line in lines if line[key] is not None]
            got = scalars(tag)
            assert [s for s, _ in got] == [s for s, _ in wanted], (tag, got, wanted)
            for (_, a), (_, b) in zip(got, wanted):
                assert abs(a - b) <= 1e-6 * max(1.0, abs(b)), (tag, a, b)

        for tag, key in [("loss/train", "train_loss"), ("loss/val", "val_loss"), ("bpb/val", "val_bpb"),
                         ("learning_rate", "lr"), ("gradient_norm", "grad_norm")]:
            if any(line[key] is not None for line in lines):
                same(tag, key)
        for layer in ["wte", "wpe", "h.0", "h.1", "ln_f"]:
            for kind in ["weight_norm", "layer_gradient_norm", "update_norm"]:
                assert f"{kind}/{layer}" in tags, (kind, layer, sorted(tags))
                values = scalars(f"{kind}/{layer}")
                assert [s for s, _ in values] == [20, 40, 60], values
                assert all(v > 0 for _, v in values), values
        texts = board.Tensors("sample")
        evaluated = [line["step"] for line in lines if line["val_loss"] is not None]
        assert [e.step for e in texts] == evaluated, (texts, evaluated)
        for event in texts:
            (text,) = make_ndarray(event.tensor_proto)
            assert all(line.startswith("    ") for line in text.decode().split("\n")) and len(text) > 50, text
        assert board.SummaryMetadata("sample").plugin_data.plugin_name == "text"
        print(f"{len(tags)} tags read back, {len(lines)} reports")


if __name__ == "__main__":
    main(sys.argv[1])
