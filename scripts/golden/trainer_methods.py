#!/usr/bin/env python3
"""Goldens of losses, optimisers, schedules and averages of weights, made by PyTorch, timm and fastai themselves.

Writes trainer/testdata/methods.json. Values come from the hash of scripts/golden/models_torchvision.py, which the Go test repeats.

    python scripts/golden/trainer_methods.py
"""
import copy
import importlib.util
import json
import pathlib

import fastai
import timm
import timm.optim
import torch
from fastai.callback.core import Callback
from fastai.callback.schedule import *  # noqa: F403
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import FocalLossFlat
from timm.loss import BinaryCrossEntropy
from timm.utils import ModelEmaV2
from torch import nn
from torch.nn import functional as F

spec = importlib.util.spec_from_file_location("hash", pathlib.Path(__file__).with_name("models_torchvision.py"))
uniform = importlib.util.module_from_spec(spec)
spec.loader.exec_module(uniform)
uniform = uniform.uniform

STEPS = 7
SHAPES = {"matrix": (5, 3), "convolution": (4, 2, 3, 3), "vector": (6,)}


def draw(shape, k, dtype=torch.float32):
    n = torch.Size(shape).numel()
    return torch.from_numpy(2 * uniform(n, k) - 1).to(dtype).reshape(shape)


def optimisers():
    """Weights after STEPS steps at lr 0.02, rising by a tenth each step, weight decay 0.1 except on vectors."""
    make = {
        "adam": lambda g: torch.optim.AdamW(g, lr=1, betas=(0.9, 0.99), eps=1e-5),
        "adamw": lambda g: torch.optim.AdamW(g, lr=1, betas=(0.9, 0.999), eps=1e-8),
        "sgd": lambda g: torch.optim.SGD(g, lr=1, momentum=0.9, nesterov=True),
        "rmsprop": lambda g: torch.optim.RMSprop(g, lr=1, alpha=0.99, eps=1e-8, momentum=0.9),
        "lamb": lambda g: timm.optim.Lamb(g, lr=1, betas=(0.9, 0.999), eps=1e-6, max_grad_norm=None),
        "lion": lambda g: timm.optim.Lion(g, lr=1, betas=(0.9, 0.99)),
        "muon": None,
        "lookahead": lambda g: timm.optim.Lookahead(torch.optim.AdamW(g, lr=1, betas=(0.9, 0.99), eps=1e-5), alpha=0.5, k=3),
    }
    out = {}
    for name, build in make.items():
        params = {p: nn.Parameter(draw(shape, i)) for i, (p, shape) in enumerate(SHAPES.items())}
        matrices, vectors = [p for p in params.values() if p.dim() > 1], [p for p in params.values() if p.dim() == 1]
        shares = [1, 1]
        if name == "muon":  # torch's own takes matrices only: the convolution goes in as one
            flat = nn.Parameter(params["convolution"].detach().flatten(1).clone())
            opts = [torch.optim.Muon([params["matrix"], flat], lr=1, weight_decay=0.1, momentum=0.9, nesterov=True),
                    torch.optim.AdamW([{"params": vectors, "weight_decay": 0}], lr=1, betas=(0.9, 0.999), eps=1e-8)]
            shares = [1, 0.1]
        else:
            opts = [build([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0}])]
        for step in range(STEPS):
            for i, (p, shape) in enumerate(SHAPES.items()):
                params[p].grad = draw(shape, 100 + 10 * step + i)
            if name == "muon":
                flat.grad = params["convolution"].grad.flatten(1)
            for opt, share in zip(opts, shares):
                for group in opt.param_groups:
                    group["lr"] = 0.02 * (1 + step / 10) * share
                opt.step()
        if name == "muon":
            params["convolution"] = flat
        out[name] = {p: t.detach().flatten().tolist() for p, t in params.items()}
    return out


def losses():
    """The losses of 6 logits of 4 classes, and the sums of the absolute gradients."""
    labels = torch.tensor([0, 3, 1, 2, 2, 1])
    partner, own = torch.tensor([1, 2, 1, 0, 3, 3]), torch.from_numpy(uniform(6, 3)).float()
    weights = torch.tensor([0.5, 1.0, 1.5, 2.0])
    soft = lambda: own[:, None] * F.one_hot(labels, 4) + (1 - own[:, None]) * F.one_hot(partner, 4)  # noqa: E731
    mix = lambda f: lambda x: torch.lerp(f(x, partner), f(x, labels), own).mean()  # noqa: E731
    cases = {
        "cross-entropy": lambda x: F.cross_entropy(x, labels),
        "cross-entropy smoothed": lambda x: F.cross_entropy(x, labels, label_smoothing=0.1),
        "cross-entropy weighted": lambda x: F.cross_entropy(x, labels, weights, label_smoothing=0.1),
        "cross-entropy mixed": mix(lambda x, y: F.cross_entropy(x, y, reduction="none", label_smoothing=0.1)),
        "focal": lambda x: FocalLossFlat(gamma=2.0)(x, labels),
        "focal weighted": lambda x: FocalLossFlat(gamma=1.5, weight=weights)(x, labels),
        "bce": lambda x: BinaryCrossEntropy(smoothing=0.0)(x, labels),
        "bce smoothed": lambda x: BinaryCrossEntropy(smoothing=0.1)(x, labels),
        "bce mixed": lambda x: BinaryCrossEntropy(smoothing=0.0)(x, soft().float()),
    }
    out = {}
    for name, f in cases.items():
        x = (3 * draw((6, 4), 1)).requires_grad_()
        loss = f(x)
        loss.backward()
        out[name] = {"loss": loss.item(), "gradient": x.grad.flatten().tolist()}
    return out


def schedules():
    """Rates over 6 epochs of 10 steps at lr 0.02."""
    n, per, lr = 60, 10, 0.02
    sched = torch.optim.lr_scheduler

    def rates(make):
        opt = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
        s, out = make(opt), []
        for _ in range(n):
            out.append(opt.param_groups[0]["lr"])
            opt.step()
            s.step()
        return out

    warm = lambda main: lambda o: sched.SequentialLR(o, [sched.LinearLR(o, 0.01, 1.0, total_iters=per), main(o)], [per])  # noqa: E731
    return {
        "cosine": rates(lambda o: sched.CosineAnnealingLR(o, n)),
        "linear": rates(lambda o: sched.LinearLR(o, 1.0, 0.0, total_iters=n)),
        "step": rates(lambda o: sched.StepLR(o, 2 * per, 0.3)),
        "cosine with warm-up": rates(warm(lambda o: sched.CosineAnnealingLR(o, n - per))),
        "linear with warm-up": rates(warm(lambda o: sched.LinearLR(o, 1.0, 0.0, total_iters=n - per))),
    }


class Hypers(Callback):
    def __init__(self):
        self.rates, self.momenta = [], []

    def before_step(self):
        self.rates.append([h["lr"] for h in self.opt.hypers])
        self.momenta.append(self.opt.hypers[-1]["mom"])


def fastai_schedules():
    """fit_flat_cos over 6 epochs of 10 steps, and fine_tune(4, freeze_epochs=2) with three groups; lr 0.02."""
    data = torch.utils.data.TensorDataset(draw((40, 3), 1), torch.arange(40) % 2)
    load = torch.utils.data.DataLoader(data, batch_size=4)
    out = {}
    for name in ["flat-then-cosine", "fine-tune"]:
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2))
        learn = Learner(DataLoaders(load, load), model, loss_func=nn.CrossEntropyLoss(), splitter=lambda m: [list(l.parameters()) for l in m])
        notes = Hypers()
        with learn.no_bar(), learn.no_logging():
            if name == "fine-tune":
                learn.fine_tune(4, 0.02, freeze_epochs=2, cbs=notes)
            else:
                learn.fit_flat_cos(6, 0.02, cbs=notes)
        out[name] = {"rates": notes.rates, "momenta": notes.momenta}
    return out


def average():
    """timm's ModelEmaV2, decay 0.9, over a model that gets new values four times."""
    model = nn.BatchNorm2d(3)
    ema = None
    for step in range(5):
        with torch.no_grad():
            for i, t in enumerate([model.weight, model.bias, model.running_mean, model.running_var]):
                t.copy_(draw((3,), 50 + 10 * step + i))
            model.num_batches_tracked.fill_(step)
        if ema is None:
            ema = ModelEmaV2(copy.deepcopy(model), decay=0.9)
        else:
            ema.update(model)
    return {name: t.flatten().tolist() for name, t in ema.module.state_dict().items()}


golden = {
    "versions": {"torch": torch.__version__, "timm": timm.__version__, "fastai": fastai.__version__},
    "optimisers": optimisers(), "losses": losses(), "schedules": schedules(), "fastai_schedules": fastai_schedules(), "average": average(),
}
pathlib.Path("trainer/testdata/methods.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
