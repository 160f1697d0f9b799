#!/usr/bin/env python3
"""Writes report/testdata/activations.npz: what fastai's ActivationStats keeps of a small network, and what it draws.

The arrays modules, steps, mean, std, near_zero and histogram are in the form of a run's activations.npz;
color_dim [M, 40, S] is what fastai's color_dim hands to show_image for each module.
Run from the repository's root: python3 scripts/golden/report_activations.py
"""
import fastai
import numpy as np
import torch
from fastai.callback.hook import ActivationStats
from fastai.data.core import DataLoaders
import fastai.callback.progress  # adds no_bar to Learner
from fastai.learner import Learner
from torch import nn
from torch.utils.data import TensorDataset

torch.manual_seed(3)
x, y = torch.randn(96, 3, 16, 16), torch.randint(0, 4, (96,))
data = DataLoaders.from_dsets(TensorDataset(x, y), TensorDataset(x[:16], y[:16]), bs=16, device=torch.device("cpu"))
model = nn.Sequential(
    nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.ReLU(), nn.BatchNorm2d(8),
    nn.Conv2d(8, 4, 3, stride=8, padding=1), nn.Flatten(),
)
stats = ActivationStats(with_hist=True, modules=[model[0], model[2], model[3]])
learner = Learner(data, model, loss_func=nn.CrossEntropyLoss(), cbs=stats)
with learner.no_bar(), learner.no_logging():
    learner.fit(2, 3e-3)

names = ["0.conv", "0.batchnorm", "1.conv"]
steps = len(stats.stats)


def kept(key):
    return np.array([[float(step[m][key]) for m in range(len(names))] for step in stats.stats], dtype=np.float32)


np.savez_compressed(
    "report/testdata/activations.npz",
    made_by=np.array([f"fastai {fastai.__version__}, torch {torch.__version__}"]),
    modules=np.array(names),
    steps=np.arange(steps, dtype=np.int64),
    mean=kept("mean"),
    std=kept("std"),
    near_zero=kept("near_zero"),
    histogram=np.array([[step[m]["hist"].numpy() for m in range(len(names))] for step in stats.stats]).astype(np.uint32),
    color_dim=np.array([stats.hist(m).numpy() for m in range(len(names))], dtype=np.float32),
)
