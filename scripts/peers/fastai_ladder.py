#!/usr/bin/env python3
"""The article's six rungs in fastai: the peer of `orrery ladder`.

Same pictures (sorted paths), same split (RandomSplitter(0.2, seed=42)), same network, optimiser, schedules and
transforms, from scratch on every rung. Prints one JSON object in the shape of `orrery ladder --json`; progress goes
to standard error.

Needs fastai 2.8.12, torch 2.11.0, torchvision 0.26.0 (versions.mk; `make peers` builds the environment).
    python scripts/peers/fastai_ladder.py FOLDER --seeds 42 43 44 --rungs plain relu
"""
import argparse
import json
import sys
import time

STARTED = time.perf_counter()

import torch  # noqa: E402  (the import is part of what is timed)
from fastai.callback.core import Callback  # noqa: E402
from fastai.callback.schedule import *  # noqa: E402,F403  (adds fit_one_cycle to Learner)
from fastai.data.block import CategoryBlock, DataBlock  # noqa: E402
from fastai.data.transforms import RandomSplitter, get_image_files, parent_label  # noqa: E402
from fastai.learner import Learner  # noqa: E402
from fastai.metrics import accuracy  # noqa: E402
from fastai.torch_core import set_seed  # noqa: E402
from fastai.vision.augment import Resize, aug_transforms  # noqa: E402
from fastai.vision.data import ImageBlock  # noqa: E402
from torch import nn  # noqa: E402

CHANNELS = [3, 8, 16, 32, 64, 128, 256, 512]
KERNELS = [5, 5, 5, 5, 5, 3, 3, 3]

# name, ReLU, BatchNorm, schedule, batch size, epochs
RUNGS = [
    ("plain", False, False, "flat", 64, 1),
    ("relu", True, False, "flat", 64, 1),
    ("batchnorm", True, True, "flat", 64, 1),
    ("one-cycle", True, True, "one-cycle", 64, 1),
    ("batch-128", True, True, "one-cycle", 128, 1),
    ("five-epochs", True, True, "one-cycle", 128, 5),
]
LEARNING_RATE = 0.003


def block(inputs, outputs, kernel, relu, batchnorm):
    """One stage of the network: convolution, then ReLU and BatchNorm where the rung has them."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2)]
    if relu:
        layers.append(nn.ReLU())
    if batchnorm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers)


def cnn8(classes, relu, batchnorm):
    """The article's network: 200-100-50-25-13-7-4-2-1, nothing after the last convolution but Flatten."""
    widths = CHANNELS + [classes]
    stages = []
    for i, kernel in enumerate(KERNELS):
        last = i == len(KERNELS) - 1
        stages.append(block(widths[i], widths[i + 1], kernel, relu and not last, batchnorm and not last))
    return nn.Sequential(*stages, nn.Flatten())


def sorted_images(folder):
    return sorted(get_image_files(folder), key=lambda p: p.relative_to(folder).as_posix())


def loaders(folder, batch_size, workers):
    photos = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=sorted_images,
        splitter=RandomSplitter(valid_pct=0.2, seed=42),
        get_y=parent_label,
        item_tfms=Resize(460),
        batch_tfms=aug_transforms(size=200, max_rotate=20, max_zoom=1.2),
    )
    return photos.dataloaders(folder, bs=batch_size, num_workers=workers)


class TrainingClock(Callback):
    """Seconds spent in the training half of each epoch, and the moment of the first step."""

    def __init__(self):
        self.seconds, self.images, self.first_step = 0.0, 0, None

    def before_train(self):
        self.start = time.perf_counter()

    def after_batch(self):
        if self.training:
            self.images += len(self.xb[0])
            if self.first_step is None:
                self.first_step = time.perf_counter()

    def after_train(self):
        self.seconds += time.perf_counter() - self.start


def train_rung(folder, rung, seed, workers):
    name, relu, batchnorm, schedule, batch_size, epochs = rung
    dls = loaders(folder, batch_size, workers)
    set_seed(seed)
    clock = TrainingClock()
    learn = Learner(dls, cnn8(len(dls.vocab), relu, batchnorm), loss_func=nn.CrossEntropyLoss(), metrics=accuracy,
                    cbs=[clock])
    start = time.perf_counter()
    with learn.no_bar(), learn.no_logging():
        if schedule == "flat":
            learn.fit(epochs, LEARNING_RATE)
        else:
            learn.fit_one_cycle(epochs, LEARNING_RATE)
    seconds = time.perf_counter() - start
    valid_loss, valid_accuracy = learn.recorder.values[-1][-2:]
    result = dict(name=name, seed=seed, accuracy=valid_accuracy, valid_loss=valid_loss, seconds=seconds,
                  images_per_second=clock.images / clock.seconds, first_step=clock.first_step - STARTED)
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--rungs", nargs="+", default=[r[0] for r in RUNGS])
    parser.add_argument("--workers", type=int, default=2, help="fastai's num_workers")
    args = parser.parse_args()
    from pathlib import Path

    folder = Path(args.folder)
    rungs, first_step = [], None
    for rung in RUNGS:
        if rung[0] not in args.rungs:
            continue
        results = [train_rung(folder, rung, seed, args.workers) for seed in args.seeds]
        first_step = first_step or results[0]["first_step"]
        accuracies = [r["accuracy"] for r in results]
        rungs.append(dict(
            name=rung[0],
            accuracy=sum(accuracies) / len(accuracies),
            accuracies=accuracies,
            seconds=sum(r["seconds"] for r in results) / len(results),
            images_per_second=sum(r["images_per_second"] for r in results) / len(results),
        ))
    print(json.dumps(dict(rungs=rungs, first_step=first_step, torch=torch.__version__, threads=torch.get_num_threads())))


if __name__ == "__main__":
    main()
