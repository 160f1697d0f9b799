#!/usr/bin/env python3
"""Writes trainer/testdata/lrfind.json: fastai's lr_find on small cnn8s, with its four suggestions.

Weights and pictures come from the generator that trainer_fastai.py describes, so that none is stored.

    python scripts/golden/trainer_lrfind.py
"""
import json
import pathlib

import fastai
import torch
from fastai.callback.schedule import minimum, slide, steep, valley
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import nn

from trainer_fastai import Congruential, cnn8, fill, squares

BATCH, SIZE, CELLS, BATCHES = 16, 64, 8, 1


def find(relu, batchnorm):
    source = Congruential(1)
    model = cnn8(relu, batchnorm)
    fill(model, source)
    batches = [squares(source, BATCH, SIZE, CELLS) for _ in range(BATCHES)]
    learn = Learner(DataLoaders(batches, batches[:1]), model, loss_func=nn.CrossEntropyLoss())
    with learn.no_bar(), learn.no_logging():
        found = learn.lr_find(show_plot=False, suggest_funcs=(valley, slide, steep, minimum))
    return dict(rates=[float(x) for x in learn.recorder.lrs], losses=[float(x) for x in learn.recorder.losses], suggestions=found._asdict())


def main():
    torch.set_num_threads(1)
    golden = dict(versions=dict(fastai=fastai.__version__, torch=torch.__version__),
                  batch=BATCH, size=SIZE, cells=CELLS, batches=BATCHES,
                  plain=find(False, False), relu=find(True, False), batchnorm=find(True, True))
    out = pathlib.Path(__file__).resolve().parents[2] / "trainer" / "testdata" / "lrfind.json"
    out.write_text(json.dumps(golden) + "\n")
    for name in ("plain", "relu", "batchnorm"):
        print(name, len(golden[name]["rates"]), golden[name]["suggestions"], golden[name]["losses"][::10])


if __name__ == "__main__":
    main()
