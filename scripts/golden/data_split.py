"""Writes data/testdata/split.json: what PyTorch's randperm and fastai's RandomSplitter give.

Run: python scripts/golden/data_split.py data/testdata/split.json
"""

import hashlib
import json
import sys

import fastai
import torch
from fastai.data.transforms import RandomSplitter


def digest(indices):
    return hashlib.sha256(",".join(str(int(i)) for i in indices).encode()).hexdigest()


cases = []
for n in (1, 2, 3, 10, 100, 623, 624, 625, 2096, 2817, 60000):
    for seed in (0, 1, 42, 2**31, 2**40 + 7, -1):
        torch.manual_seed(seed)
        perm = torch.randperm(n).tolist()
        case = {"n": n, "seed": seed, "first": perm[:20], "sha256": digest(perm), "splits": []}
        if n >= 2:
            for pct in (0.1, 0.2, 0.25, 1 / 3, 0.29, 0.5):
                train, valid = RandomSplitter(valid_pct=pct, seed=seed)(list(range(n)))
                case["splits"].append(
                    {
                        "valid_pct": pct,
                        "train": len(train),
                        "valid": len(valid),
                        "train_sha256": digest(train),
                        "valid_sha256": digest(valid),
                    }
                )
        cases.append(case)

with open(sys.argv[1], "w") as f:
    json.dump({"torch": torch.__version__, "fastai": fastai.__version__, "cases": cases}, f, separators=(",", ":"))
