#!/usr/bin/env python3
"""Writes trainer/testdata/activations.json: fastai's ActivationStats(with_hist=True) over steps of a small cnn8.

Weights and pictures come from the generator that trainer_fastai.py describes, so that none is stored.

    python scripts/golden/trainer_activations.py
"""
import json
import pathlib

import fastai
import torch
from fastai.callback.hook import ActivationStats
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import nn

from trainer_fastai import Congruential, cnn8, fill, squares

# Adam turns the rounding of a gradient near zero into a whole step: a small rate keeps that below what is compared.
BATCH, SIZE, CELLS, STEPS, LR = 16, 64, 8, 2, 1e-6


def main():
    torch.set_num_threads(1)
    source = Congruential(1)
    model = cnn8(True, True)
    fill(model, source)
    batches = [squares(source, BATCH, SIZE, CELLS) for _ in range(STEPS)]
    stats = ActivationStats(with_hist=True)
    learn = Learner(DataLoaders(batches, batches[:1]), model, loss_func=nn.CrossEntropyLoss(), cbs=stats)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, LR)
    rows = [[[float(m["mean"]), float(m["std"]), float(m["near_zero"])] + [float(x) for x in m["hist"]] for m in step] for step in stats.stats]
    golden = dict(versions=dict(fastai=fastai.__version__, torch=torch.__version__),
                  batch=BATCH, size=SIZE, cells=CELLS, lr=LR, steps=rows)
    out = pathlib.Path(__file__).resolve().parents[2] / "trainer" / "testdata" / "activations.json"
    out.write_text(json.dumps(golden) + "\n")
    print(len(rows), len(rows[0]), rows[0][0][:5], rows[0][1][:5])


if __name__ == "__main__":
    main()
