#!/usr/bin/env python3
"""Writes report/testdata/interpretation.json: predictions, and what others say of them.

Scores come from scikit-learn, the most confused pairs and the loss from fastai's formulas run by
fastai itself (ClassificationInterpretation) where it has them, the calibration error from NumPy.
Run from the repository's root: python3 scripts/golden/report_interpretation.py
"""
import json
import warnings

import fastai
import numpy as np
import sklearn
import torch
from fastai.interpret import ClassificationInterpretation
from sklearn.metrics import confusion_matrix, f1_score, log_loss, precision_recall_fscore_support, top_k_accuracy_score

warnings.filterwarnings("ignore")
CLASSES = ["earth", "jupiter", "mars", "neptune", "saturn", "uranus", "venus"]
N = 300

rng = np.random.default_rng(7)
labels = rng.integers(0, 6, N)  # the last class never occurs
logits = rng.normal(0, 1.2, (N, 7))
logits[np.arange(N), labels] += 1.5
logits[:, 6] -= 2
p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
p = np.array([[float(f"{v:.9g}") for v in row] for row in p])
guess = p.argmax(1)

precision, recall, f1, support = precision_recall_fscore_support(labels, guess, labels=range(7), zero_division=0)

conf, right = p.max(1), (guess == labels).astype(float)
edges = np.linspace(0, 1, 16)
ece = 0.0
for low, high in zip(edges[:-1], edges[1:]):
    inside = (conf > low) & (conf <= high)
    if inside.any():
        ece += inside.mean() * abs(right[inside].mean() - conf[inside].mean())


# Only these two parts of it are looked at.
interpretation = ClassificationInterpretation.__new__(ClassificationInterpretation)
interpretation.vocab = CLASSES
interpretation.confusion_matrix = lambda: confusion_matrix(labels, guess, labels=range(7))
confused = [[a, b, int(n)] for a, b, n in interpretation.most_confused()]

losses = -np.log(p[np.arange(N), labels])
json.dump(
    {
        "made_by": {"fastai": fastai.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__, "torch": torch.__version__},
        "classes": CLASSES,
        "labels": labels.tolist(),
        "probabilities": p.tolist(),
        "accuracy": float(right.mean()),
        "top5": float(top_k_accuracy_score(labels, p, k=5, labels=range(7))),
        "loss": float(log_loss(labels, p, labels=range(7))),
        "ece": float(ece),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "macro_f1": float(f1_score(labels, guess, average="macro")),
        "support": support.tolist(),
        "confusion": confusion_matrix(labels, guess, labels=range(7)).tolist(),
        "most_confused": confused,
        "top_losses": np.argsort(-losses, kind="stable")[:9].tolist(),
    },
    open("report/testdata/interpretation.json", "w"),
)
