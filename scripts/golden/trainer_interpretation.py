#!/usr/bin/env python3
"""Writes trainer/testdata/interpretation.json: what fastai's ClassificationInterpretation says of a small cnn8.

Weights and pictures come from the generator that trainer_fastai.py describes, so that none is stored. The network sees
every batch in training mode first, without an optimiser's step, so that its BatchNorms have statistics.

    python scripts/golden/trainer_interpretation.py
"""
import json
import pathlib
import warnings

import fastai
import torch
from fastai.data.core import DataLoaders, TfmdDL
from fastai.interpret import ClassificationInterpretation
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat

from trainer_fastai import Congruential, cnn8, fill, squares

BATCH, SIZE, CELLS, BATCHES, ROUNDS = 16, 64, 8, 6, 5
CLASSES = ["earth", "jupiter", "neptune", "saturn"]


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    source = Congruential(1)
    model = cnn8(True, True)
    fill(model, source)
    items = []
    for _ in range(BATCHES):
        items += zip(*squares(source, BATCH, SIZE, CELLS))
    loader = TfmdDL(items, bs=BATCH, shuffle=False, num_workers=0)
    loader.vocab = [CLASSES]  # it takes the last of a list
    model.train()
    with torch.no_grad():
        for _ in range(ROUNDS):
            for pixels, _ in loader:
                model(pixels)
    learn = Learner(DataLoaders(loader, loader), model, loss_func=CrossEntropyLossFlat())
    with learn.no_bar(), learn.no_logging():
        found = ClassificationInterpretation.from_learner(learn, dl=loader)
        confusion = found.confusion_matrix()
        confused = found.most_confused()
        losses, indices = found.top_losses(9)
        probabilities, labels = learn.get_preds(dl=loader)
    golden = dict(
        versions=dict(fastai=fastai.__version__, torch=torch.__version__),
        batch=BATCH, size=SIZE, cells=CELLS, batches=BATCHES, rounds=ROUNDS, classes=CLASSES,
        labels=labels.tolist(), probabilities=[[float(x) for x in row] for row in probabilities],
        confusion=confusion.tolist(), most_confused=[[a, b, int(n)] for a, b, n in confused],
        top_losses=[[int(i), float(x)] for i, x in zip(indices, losses)],
    )
    out = pathlib.Path(__file__).resolve().parents[2] / "trainer" / "testdata" / "interpretation.json"
    out.write_text(json.dumps(golden) + "\n")
    print(golden["confusion"], golden["most_confused"], golden["top_losses"])


if __name__ == "__main__":
    main()
