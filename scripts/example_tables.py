#!/usr/bin/env python3
"""Writes two of scikit-learn's tables as CSV, for trying the tasks regression and classification, and
prints the losses that simple models reach on splits of the same size.

  python3 -m venv venv && venv/bin/pip install scikit-learn
  venv/bin/python scripts/example_tables.py FOLDER

diabetes.csv (442 rows, 10 columns; Efron et al. 2004): --task regression --block-size 10
digits.csv (1797 rows, 64 columns: 8x8 images; 4 consecutive columns are a patch of 2x2):
  --task classification --columns-per-token 4 --block-size 16
Both with --target target.
"""

import csv
import math
import pathlib
import sys

from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def write(path, names, rows, targets):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow([*names, "target"])
        for row, target in zip(rows, targets):
            out.writerow([*(f"{x:g}" for x in row), f"{target:g}"])


def patches(side=8, patch=2):
    """Pixels patch by patch, row by row within each."""
    return [
        (top + y) * side + left + x
        for top in range(0, side, patch)
        for left in range(0, side, patch)
        for y in range(patch)
        for x in range(patch)
    ]


def baseline(x, y, model, loss, seeds=20):
    """Mean and standard deviation over random splits of 80 % for training and 10 % for the test."""
    losses = []
    for seed in range(seeds):
        x_train, x_test, y_train, y_test = train_test_split(x, y, train_size=0.8, test_size=0.1, random_state=seed)
        scale = StandardScaler().fit(x_train)
        losses.append(loss(model, scale.transform(x_train), y_train, scale.transform(x_test), y_test))
    mean = sum(losses) / seeds
    return mean, math.sqrt(sum((v - mean) ** 2 for v in losses) / (seeds - 1))


def normal_loss(model, x_train, y_train, x_test, y_test):
    """Of a normal with the model's mean and the training residuals' deviation, y standardized."""
    scale = StandardScaler().fit(y_train.reshape(-1, 1))
    train, test = (scale.transform(y.reshape(-1, 1)).ravel() for y in (y_train, y_test))
    model.fit(x_train, train)
    variance = ((train - model.predict(x_train)) ** 2).mean()
    return 0.5 * math.log(2 * math.pi * variance) + ((test - model.predict(x_test)) ** 2).mean() / (2 * variance)


def class_loss(model, x_train, y_train, x_test, y_test):
    model.fit(x_train, y_train)
    return log_loss(y_test, model.predict_proba(x_test), labels=range(10))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    diabetes, digits = load_diabetes(scaled=False), load_digits()
    write(folder / "diabetes.csv", diabetes.feature_names, diabetes.data, diabetes.target)
    order = patches()
    pixels = [f"pixel_{i // 8}_{i % 8}" for i in order]
    write(folder / "digits.csv", pixels, digits.data[:, order], digits.target)
    for name, data, model, loss in [
        ("diabetes, ridge", diabetes, Ridge(alpha=1.0), normal_loss),
        ("digits, logistic regression", digits, LogisticRegression(C=0.1, max_iter=1000), class_loss),
    ]:
        mean, sd = baseline(data.data, data.target, model, loss)
        print(f"{name}: {mean:.3f} nats per target, standard deviation over splits {sd:.3f}")


if __name__ == "__main__":
    main()
