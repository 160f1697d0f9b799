#!/usr/bin/env python3
"""Goldens of speednet and of the optimiser muon-sgd: the network and the steps of airbench94_muon (Jordan, 2024) in plain PyTorch.

Writes models/testdata/speednet.json, the whitening of some pictures and the logits of hashed weights, and
trainer/testdata/speednet.json, the losses of three training steps and what they made of the weights. Pictures and weights come from
the hash of scripts/golden/models_torchvision.py, which the Go tests repeat. The logits are computed in float32, the steps in
float64, where the original has a GPU compute in 16 bits: orthogonal steps magnify what rounds gradients, up to 41 times at each. The rates are the original's, for the sum of a batch's losses; Orrery's are for the mean.

    python scripts/golden/models_speednet.py
"""
import importlib.util
import json
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

spec = importlib.util.spec_from_file_location("hash", pathlib.Path(__file__).with_name("models_torchvision.py"))
drawn = importlib.util.module_from_spec(spec)
spec.loader.exec_module(drawn)

N, SIDE, CLASSES = 16, 32, 10
STEPS, PLANNED = 3, 8  # steps taken of those the schedule is for: the whitening's bias is trained in the first three eighths
KEPT = 40  # values of a tensor that are stored, evenly spread


class Norm(nn.BatchNorm2d):
    def __init__(self, channels):
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)


class Group(nn.Module):
    def __init__(self, wide_in, wide):
        super().__init__()
        self.conv1 = nn.Conv2d(wide_in, wide, 3, padding=1, bias=False)
        self.norm1 = Norm(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.norm2 = Norm(wide)

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(Group(24, 64), Group(64, 256), Group(256, 256))
        self.head = nn.Linear(256, CLASSES, bias=False)

    def forward(self, x):
        x = F.max_pool2d(self.groups(F.gelu(self.whiten(x))), 3)
        return self.head(x.flatten(1)) / 256


def pictures():
    """Waves of a direction, a length and a phase for each picture and channel, with noise that grows with the channel."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    u = drawn.uniform(N * 3 * 3, 2000).reshape(N, 3, 3)
    noise = 2 * drawn.uniform(N * 3 * SIDE * SIDE, 2001).reshape(N, 3, SIDE, SIDE) - 1
    waves = np.sin((1 + 3 * u[..., 0, None, None]) * x / 5 + (1 + 3 * u[..., 1, None, None]) * y / 5 + 6 * u[..., 2, None, None])
    return torch.from_numpy((waves + 0.1 * np.array([1, 2, 3]).reshape(1, 3, 1, 1) * noise).astype(np.float32))


def whitening(x):
    """Eigenvalues, ascending, and the rows that are their eigenvectors over the root of the value plus 5e-4."""
    patches = F.unfold(x, 2).transpose(1, 2).reshape(-1, 12).double()
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    gaps = (values.diff() / values[1:]).min().item()
    assert gaps > 0.01, f"eigenvalues {values} are too near each other to compare vectors"
    return values, vectors.T / (values[:, None] + 5e-4).sqrt()


def network():
    net = Net()
    drawn.fill(net)
    with torch.no_grad():
        net.head.weight *= 16  # a variance of about 1
    return net


def orthogonal(g):
    """Three Newton-Schulz steps of odd degree five."""
    x = g / g.norm()
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x if wide else x.T


def train(x):
    net, x = network().double(), x.double()
    labels = torch.arange(N) % CLASSES
    filters = [p for p in net.parameters() if p.dim() == 4 and p.requires_grad]
    biases = [p for name, p in net.named_parameters() if "norm" in name and p.requires_grad]
    decay = 2e-6 * N
    groups = [{"params": [net.whiten.bias], "peak": 0.053}, {"params": biases, "peak": 0.053}, {"params": [net.head.weight], "peak": 0.67}]
    for g in groups:
        g["weight_decay"] = decay / g["peak"]
    sgd = torch.optim.SGD(groups, lr=0, momentum=0.85, nesterov=True)
    velocity = [torch.zeros_like(p) for p in filters]
    losses = []
    for step in range(STEPS):
        for i, g in enumerate(sgd.param_groups):
            g["lr"] = g["peak"] * (1 - step / (PLANNED if i else PLANNED * 3 / 8))
        loss = F.cross_entropy(net(x), labels, label_smoothing=0.2, reduction="sum")
        losses.append(loss.item() / N)
        net.zero_grad()
        loss.backward()
        sgd.step()
        with torch.no_grad():
            for p, v in zip(filters, velocity):
                v.mul_(0.6).add_(p.grad)
                towards = orthogonal((p.grad + 0.6 * v).flatten(1)).reshape(p.shape)
                p.mul_(len(p) ** 0.5 / p.norm()).sub_(towards, alpha=0.24 * (1 - step / PLANNED))
    return losses, {name: sample(t) for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}


def sample(t):
    flat = t.flatten()
    return {"norm": flat.double().norm().item(), "values": flat[:: max(1, len(flat) // KEPT)].tolist()}


torch.manual_seed(0)
x = pictures()
values, rows = whitening(x)
net = network()
with torch.no_grad():
    evaluated = net.eval()(x).flatten().tolist()
    trained = net.train()(x).flatten().tolist()
head = {"versions": {"torch": torch.__version__}, "n": N, "side": SIDE}
pathlib.Path("models/testdata/speednet.json").write_text(json.dumps(
    head | {"eigenvalues": values.tolist(), "rows": rows.flatten().tolist(), "eval": evaluated, "train": trained,
            "parameters": sum(p.numel() for p in net.parameters() if p.requires_grad)}, separators=(",", ":")) + "\n")
losses, weights = train(x)
pathlib.Path("trainer/testdata/speednet.json").write_text(
    json.dumps(head | {"planned": PLANNED, "losses": losses, "weights": weights}, separators=(",", ":")) + "\n")
