#!/usr/bin/env python3
"""Files of torch.save for gotorch/pth's tests, each with its tensors as safetensors beside it.

Usage: python scripts/golden/gotorch_pth.py gotorch/testdata
"""
import pickle
import sys
import zipfile

import torch
from safetensors.torch import save_file
from torch import nn

folder = sys.argv[1]
torch.manual_seed(11)
net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
dtypes = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float64,
          torch.complex64]
checkpoint = {
    "model": net.state_dict(),
    "ema": {"0.weight": nn.Parameter(net[0].weight * 2)},
    "views": [base, base.t(), base[1:, ::2], base[0].expand(2, 4)],
    "dtypes": {str(d): torch.tensor([0, 1, 1]).to(d) for d in dtypes},
    "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "epoch": 3, "lr": 0.1, "name": "é", "none": None, "flag": True, "big": 2**40,
    "negative": -3, "size": torch.Size([1, 2]),
}


def flat(name, v, out):
    if isinstance(v, torch.Tensor):
        out[name] = v.detach().clone().contiguous()
    elif isinstance(v, dict):
        for k, x in v.items():
            flat(f"{name}.{k}".lstrip("."), x, out)
    elif isinstance(v, (list, tuple)):
        for i, x in enumerate(v):
            flat(f"{name}.{i}".lstrip("."), x, out)
    return out


torch.save(net.state_dict(), f"{folder}/state.pth")
torch.save(checkpoint, f"{folder}/checkpoint.pth")
torch.save(checkpoint, f"{folder}/protocol4.pth", pickle_protocol=4)
legacy = dict(checkpoint)
torch.save(legacy, f"{folder}/legacy.pth", _use_new_zipfile_serialization=False)
meta = {"torch": torch.__version__, "generator": "scripts/golden/gotorch_pth.py"}
save_file(flat("", net.state_dict(), {}), f"{folder}/state.pth.safetensors", metadata=meta)
save_file(flat("", checkpoint, {}), f"{folder}/checkpoint.pth.safetensors", metadata=meta)


class Evil:
    def __reduce__(self):
        import os
        return os.system, ("touch EXECUTED",)


with zipfile.ZipFile(f"{folder}/evil.pth", "w") as z:
    z.writestr("a/data.pkl", pickle.dumps({"x": Evil()}, protocol=2))
    z.writestr("a/byteorder", "little")
