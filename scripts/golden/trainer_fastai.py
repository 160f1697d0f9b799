#!/usr/bin/env python3
"""Goldens for package trainer, made by fastai and PyTorch themselves.

Writes trainer/testdata/fastai.json: schedules of fit and fit_one_cycle, the smoothed loss, and three steps of fastai's
Adam on the article's network: plain, with ReLU, and with ReLU and BatchNorm. The last is kept in float64 as well, for
libtorch's own channels-last kernels: their BatchNorm loses digits, 5e-5 of the first loss already, where PyTorch's
contiguous ones, which made the float32 golden, agree with float64 to 1e-6 on all three.

Weights and pictures come from a 32-bit linear congruential generator that the Go test
repeats, so that none of them is stored.

    python scripts/golden/trainer_fastai.py
"""
import json
import pathlib

import fastai
import numpy as np
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import *  # noqa: F403
from fastai.data.core import DataLoaders
from fastai.learner import AvgSmoothLoss, Learner
from torch import nn

CHANNELS = [3, 8, 16, 32, 64, 128, 256, 512, 4]
KERNELS = [5, 5, 5, 5, 5, 3, 3, 3]
BATCH, SIZE, STEPS, PLANNED = 32, 200, 3, 85
WAVES = 4  # a channel of a picture is a sum of so many waves, up to MAX_CYCLES across the picture, squashed to 0..255
MAX_CYCLES = 12


class Congruential:
    """x -> 1664525 x + 1013904223 mod 2^32; uniform() gives the top 24 bits as multiples of 2^-24 in [0, 1)."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self, n):
        out = np.empty(n, np.float64)
        x = self.state
        for i in range(n):
            x = (1664525 * x + 1013904223) & 0xFFFFFFFF
            out[i] = (x >> 8) / 2**24
        self.state = x
        return out


def cnn8(relu, batchnorm):
    stages = []
    for i, kernel in enumerate(KERNELS):
        layers = [nn.Conv2d(CHANNELS[i], CHANNELS[i + 1], kernel, stride=2, padding=kernel // 2)]
        if i < len(KERNELS) - 1:
            layers += [nn.ReLU()] * relu + [nn.BatchNorm2d(CHANNELS[i + 1])] * batchnorm
        stages.append(nn.Sequential(*layers))
    return nn.Sequential(*stages, nn.Flatten())


def fill(model, source):
    """Every parameter of rank > 1 is U(-b, b) with b = 1/sqrt(fan_in); vectors keep PyTorch's 1 and 0, biases 0."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() > 1:
                bound = 1 / np.sqrt(p[0].numel())
                p.copy_(torch.from_numpy(((source.uniform(p.numel()) * 2 - 1) * bound).astype(np.float32)).view_as(p))
            elif name.endswith(".0.bias"):
                p.zero_()


def waves(source):
    """One channel, float32 in [0, 1]: sigmoid of the sum of a*sin(2 pi (u*x + v*y + phase)), in 256 levels."""
    at = np.arange(SIZE) / SIZE
    z = np.zeros((SIZE, SIZE))
    for _ in range(WAVES):
        u, v, phase, amplitude = source.uniform(4)
        along = (u * 2 - 1) * MAX_CYCLES * at[None, :] + (v * 2 - 1) * MAX_CYCLES * at[:, None] + phase
        z += (amplitude + 0.2) * np.sin(2 * np.pi * along)
    return np.floor(256 / (1 + np.exp(-z))).astype(np.float32) / np.float32(255)


def squares(source, batch, size, cells):
    """A batch: pictures [batch, 3, size, size] of cells x cells squares in 256 levels, float32 in [0, 1], and labels of four classes."""
    levels = (source.uniform(batch * 3 * cells * cells) * 256).astype(np.uint8).astype(np.float32) / np.float32(255)
    pixels = np.kron(levels.reshape(batch, 3, cells, cells), np.ones((size // cells, size // cells), np.float32))
    labels = (source.uniform(batch) * 4).astype(np.int64)
    return torch.from_numpy(pixels), torch.from_numpy(labels)


class StopAfterSteps(Callback):
    def after_batch(self):
        if self.training and self.iter == STEPS - 1:
            raise CancelFitException()


class Notes(Callback):
    def __init__(self):
        self.losses, self.smoothed, self.rates, self.momenta = [], [], [], []
        self.smooth = AvgSmoothLoss(beta=0.98)

    def before_step(self):
        self.rates.append(self.opt.hypers[-1]["lr"])
        self.momenta.append(self.opt.hypers[-1]["mom"])

    def after_batch(self):
        if self.training:
            self.losses.append(self.loss.item())
            if self.loss.dtype == torch.float32:  # fastai's mean knows no other
                self.smooth.accumulate(self.learn)
                self.smoothed.append(self.smooth.value.item())


def synthetic_loaders(n, batch_size):
    data = [(torch.zeros(2), torch.tensor(0)) for _ in range(n * batch_size)]
    loader = torch.utils.data.DataLoader(data, batch_size=batch_size)
    return DataLoaders(loader, loader)


def schedule(steps, epochs, lr, one_cycle):
    notes = Notes()
    learn = Learner(synthetic_loaders(steps, 2), nn.Linear(2, 2), loss_func=nn.CrossEntropyLoss(), cbs=[notes])
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, lr) if one_cycle else learn.fit(epochs, lr)
    return dict(steps=steps * epochs, lr=lr, rates=notes.rates, momenta=notes.momenta)


def three_steps(relu, batchnorm, dtype=torch.float32):
    source = Congruential(1)
    model = cnn8(relu, batchnorm)
    fill(model, source)
    model = model.to(dtype)
    batches = []
    for _ in range(STEPS):
        pixels = np.stack([waves(source) for _ in range(BATCH * 3)]).reshape(BATCH, 3, SIZE, SIZE)
        labels = (source.uniform(BATCH) * 4).astype(np.int64)
        batches.append((torch.from_numpy(pixels).to(dtype), torch.from_numpy(labels)))
    notes = Notes()
    batches += batches[:1] * (PLANNED - STEPS)  # never reached: they make the schedule that of a whole run
    learn = Learner(DataLoaders(batches, batches[:1]), model, loss_func=nn.CrossEntropyLoss(), cbs=[notes, StopAfterSteps()])
    if dtype == torch.float64:
        learn.remove_cb(learn.recorder)  # it knows no float64
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1, 0.003)
    sums = {k: v.double().abs().sum().item() for k, v in model.state_dict().items() if v.is_floating_point()}
    return dict(losses=notes.losses, smoothed=notes.smoothed, rates=notes.rates, momenta=notes.momenta,
                absolute_sums=sums, parameters=sum(p.numel() for p in model.parameters()))


def main():
    torch.set_num_threads(1)
    golden = dict(
        versions=dict(fastai=fastai.__version__, torch=torch.__version__),
        flat=schedule(5, 2, 0.003, False),
        one_cycle=schedule(35, 1, 0.003, True),
        one_cycle_epochs=schedule(17, 5, 0.01, True),
        three_steps=dict(
            plain=three_steps(False, False),
            relu=three_steps(True, False),
            batchnorm=three_steps(True, True),
            batchnorm_float64=three_steps(True, True, torch.float64),
        ),
    )
    out = pathlib.Path(__file__).resolve().parents[2] / "trainer" / "testdata" / "fastai.json"
    out.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
