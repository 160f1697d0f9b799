#!/usr/bin/env python3
"""Golden training runs for gotorch: initialisation, 100 steps with each optimiser, ResNets.

Usage: python scripts/golden/gotorch_train.py gotorch/testdata/train.safetensors [FOLDER]

With FOLDER it also writes torchvision's resnet18 and resnet50 there as safetensors (45 and 98 MB),
for the test that loads them ($GOTORCH_RESNET).
"""
import json
import sys

import fastai
import safetensors
import torch
import torch.nn.functional as F
import torchvision
from fastai.optimizer import Adam as FastaiAdam
from safetensors.torch import save_file
from torch import nn

torch.set_num_threads(1)
STEPS = 100
out, meta = {}, {"torch": torch.__version__, "torchvision": torchvision.__version__, "fastai": fastai.__version__,
                 "safetensors": safetensors.__version__, "generator": "scripts/golden/gotorch_train.py"}


def network():
    torch.manual_seed(42)
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8),
                         nn.ReLU(), nn.Flatten(), nn.Linear(32, 5))


def batches():
    """The inputs: the test draws the same ones from the same seed."""
    torch.manual_seed(7)
    return [(torch.randn(6, 3, 8, 8), torch.randint(0, 5, [6])) for _ in range(4)]


def schedule(i):
    """A learning rate and momentum that move every step, as one cycle does."""
    return 0.002 + 0.02 * (i % 25) / 25, 0.95 - 0.1 * (i % 25) / 25


def run(name, make, step):
    net = network()
    if name == "init":
        for k, v in net.state_dict().items():
            out[f"init.{k}"] = v.clone()
        return
    data, opt, losses = batches(), make(net), []
    for i in range(STEPS):
        x, y = data[i % len(data)]
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        step(opt, i)
        losses.append(loss.item())
    out[f"{name}.losses"] = torch.tensor(losses, dtype=torch.float64)
    for k, v in net.state_dict().items():
        out[f"{name}.{k}"] = v.clone()


def plain(opt, i):
    opt.step()


def groups(net):
    """Weight decay for weights of convolutions and linear layers only."""
    decay = [p for p in net.parameters() if p.dim() > 1]
    return decay, [p for p in net.parameters() if p.dim() <= 1]


def adamw(net):
    decay, rest = groups(net)
    return torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}], lr=0.01,
                             betas=(0.95, 0.99), eps=1e-5, fused=True)


def moving(opt, i):
    lr, mom = schedule(i)
    for g in opt.param_groups:
        g["lr"], g["betas"] = lr, (mom, 0.99)
    opt.step()


def fastai_adam(net):
    decay, rest = groups(net)
    opt = FastaiAdam([decay, rest], lr=0.01, mom=0.95, sqr_mom=0.99, eps=1e-5, wd=0.01, decouple_wd=True)
    for p in rest:
        opt.state[p]["do_wd"] = False
    return opt


def fastai_step(opt, i):
    lr, mom = schedule(i)
    opt.set_hyper("lr", lr)
    opt.set_hyper("mom", mom)
    opt.step()


run("init", None, None)
run("sgd", lambda n: torch.optim.SGD(n.parameters(), lr=0.05), plain)
run("momentum", lambda n: torch.optim.SGD(n.parameters(), lr=0.02, momentum=0.9, weight_decay=0.01, nesterov=True), plain)
run("adam", lambda n: torch.optim.Adam(n.parameters(), lr=0.01, betas=(0.9, 0.999), weight_decay=0.01), plain)
run("adamw", adamw, moving)
run("fastai", fastai_adam, fastai_step)

for name in ["resnet18", "resnet50"]:
    torch.manual_seed(3)
    net = getattr(torchvision.models, name)(weights=None)
    state = net.state_dict()
    # Move the statistics off their first values, so evaluation depends on every tensor.
    net.train()
    torch.manual_seed(4)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        out[f"{name}.train_logits"] = net(x)
        net.eval()
        out[f"{name}.logits"] = net(x)
    meta[f"{name}.names"] = json.dumps(list(state))
    out[f"{name}.sums"] = torch.stack([v.double().sum() for v in state.values()])
    if len(sys.argv) > 2:
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, f"{sys.argv[2]}/{name}.safetensors")

save_file(out, sys.argv[1], metadata=meta)
