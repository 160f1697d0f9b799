#!/usr/bin/env python3
"""Golden first values of parameters: what torch.nn.init draws from one seed.

Usage: python scripts/golden/gotorch_init.py gotorch/testdata/init.safetensors

The tensors are called <function>.<shape>, the shapes "matrix" (6, 9), "tall" (9, 6) and "kernel" (8, 4, 3, 3).
"""
import sys

import safetensors
import torch
from safetensors.torch import save_file
from torch.nn import init

SEED = 11
FUNCTIONS = {
    "zeros": init.zeros_,
    "ones": init.ones_,
    "constant": lambda w: init.constant_(w, 0.3),
    "uniform": lambda w: init.uniform_(w, -0.5, 2),
    "normal": lambda w: init.normal_(w, 1, 0.02),
    "kaiming_uniform": lambda w: init.kaiming_uniform_(w, a=0.1, mode="fan_in", nonlinearity="leaky_relu"),
    "kaiming_normal": lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
    "xavier_uniform": lambda w: init.xavier_uniform_(w, gain=1.5),
    "xavier_normal": lambda w: init.xavier_normal_(w, gain=init.calculate_gain("tanh")),
    "trunc_normal": lambda w: init.trunc_normal_(w, mean=0.1, std=0.5, a=-0.4, b=1),
    "orthogonal": lambda w: init.orthogonal_(w, gain=1.2),
}
out = {}
for name, fill in FUNCTIONS.items():
    for word, shape in {"matrix": (6, 9), "tall": (9, 6), "kernel": (8, 4, 3, 3)}.items():
        torch.manual_seed(SEED)
        out[f"{name}.{word}"] = fill(torch.empty(shape))
save_file(out, sys.argv[1], metadata={"torch": torch.__version__, "safetensors": safetensors.__version__,
                                      "generator": "scripts/golden/gotorch_init.py"})
print(len(out), "tensors")
