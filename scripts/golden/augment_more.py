"""Makes augment/testdata/more.json and more.bin: what fastai and torchvision do beyond the article.

    python scripts/golden/augment_more.py augment/testdata

Reads the pictures scripts/golden/augment_fastai.py made. 8-bit results are stored as SHA-256 of
their RGB bytes; results in [0, 1] as uint16 in more.bin (zlib), value = low + u/65535*(high-low).
"""

import hashlib
import importlib.metadata
import json
import random
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms.v2 as v2
import torchvision.transforms.v2.functional as TF
from fastai.callback.mixup import CutMix, MixUp
from fastai.vision.all import (
    Brightness,
    Contrast,
    CropPad,
    Dihedral,
    Hue,
    PILImage,
    RandomErasing,
    RandomResizedCrop,
    Resize,
    Saturation,
    TensorImage,
)
from fastai.vision.augment import dihedral_mat
from torchvision.transforms.v2._auto_augment import RandAugment, TrivialAugmentWide

NAMES = ["wide.png", "tall.png", "square.png"]
blob = []


def sha(image):
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def store(y):
    """Keeps an array of [..., 3] values; returns where."""
    y = np.asarray(y, dtype=np.float64)
    low, high = float(y.min()), float(y.max())
    u = np.round((y - low) / max(high - low, 1e-9) * 65535).astype("<u2")
    out = dict(low=low, high=high, offset=sum(map(len, blob)), values=int(u.size))
    blob.append(u.tobytes())
    return out


def picture(folder, i):
    return PILImage.create(folder / NAMES[i])


def recorded(f):
    """Runs f and returns its result and the numbers Python's random module gave it."""
    drawn = []
    uniform, randint = random.uniform, random.randint

    def keep(original):
        def call(*args):
            drawn.append(original(*args))
            return drawn[-1]

        return call

    random.uniform, random.randint = keep(uniform), keep(randint)
    try:
        return f(), drawn
    finally:
        random.uniform, random.randint = uniform, randint


def sizes(folder):
    """Sizing transforms: the item's checksum."""
    out = []
    for k in range(36):
        i, train = k % 3, k % 4 != 3
        size = [24, 48, 75, 33][k // 3 % 4]
        random.seed(k)
        crop, drawn = [0.5, 0.5], []
        if k < 12:
            pad = ["reflection", "zeros", "border"][k // 3 % 3]
            name, t = "pad " + pad, Resize(size, method="pad", pad_mode=pad)
        elif k < 18:
            name, t = "squish", Resize(size, method="squish")
        elif k < 24:
            pad = ["reflection", "zeros", "border"][k % 3]
            name, t = "center " + pad, CropPad(size, pad_mode=pad)
        else:
            name, t = "random", RandomResizedCrop(size)
        item, drawn = recorded(lambda: t(picture(folder, i), split_idx=0 if train else 1))
        if hasattr(t, "pcts"):
            crop = [float(p) for p in t.pcts]
        out.append(
            dict(name=name, picture=i, train=train, size=size, crop=crop, drawn=drawn,
                 sha256=sha(np.asarray(item)))
        )  # fmt: skip
    return out


def tensor(item):
    return torch.from_numpy(np.asarray(item).copy()).permute(2, 0, 1).float() / 255


def colours(folder):
    """Colour transforms of the centre crop of 36 pixels, drawn numbers given."""
    out = []
    for k in range(18):
        i = k % 3
        item = Resize(36)(picture(folder, i), split_idx=1)
        x = TensorImage(tensor(item)[None])
        r = np.random.default_rng(k)
        p = dict(Brightness=0.5, Contrast=1.0, Saturation=1.0, Hue=0.0, Gray=False, Sigma=0.0)
        if k < 3:
            p["Saturation"] = float(np.exp(r.uniform(-0.7, 0.7)))
            names, y = ["saturation"], Saturation(p=1.0, draw=p["Saturation"])(x, split_idx=0)
        elif k < 6:
            p["Brightness"], p["Contrast"] = r.uniform(0.3, 0.7), float(np.exp(r.uniform(-0.5, 0.5)))
            p["Saturation"] = float(np.exp(r.uniform(-0.5, 0.5)))
            names = ["brightness", "saturation", "contrast"]
            t = Brightness(p=1.0, draw=p["Brightness"])
            t.compose(Saturation(p=1.0, draw=p["Saturation"]))
            t.compose(Contrast(p=1.0, draw=p["Contrast"]))
            y = t(x, split_idx=0)
        elif k < 9:
            p["Brightness"], p["Contrast"] = r.uniform(0.3, 0.7), float(np.exp(r.uniform(-0.5, 0.5)))
            names = ["contrast", "brightness"]
            t = Contrast(p=1.0, draw=p["Contrast"])
            t.compose(Brightness(p=1.0, draw=p["Brightness"]))
            y = t(x, split_idx=0)
        elif k < 12:
            p["Hue"] = float(np.exp(r.uniform(-0.1, 0.1)))
            names, y = ["hue"], Hue(p=1.0, draw=p["Hue"])(x, split_idx=0)
        elif k < 14:
            p["Gray"] = True
            names, y = ["grayscale"], TF.rgb_to_grayscale(torch.Tensor(x), 3)
        else:
            p["Sigma"] = float(r.uniform(0.1, 2))
            names = ["blur"]
            y = TF.gaussian_blur(torch.Tensor(x), [5, 5] if k < 16 else [9, 9], p["Sigma"])
        y = torch.Tensor(y)[0].permute(1, 2, 0)
        out.append(dict(names=names, picture=i, size=36, kernel=5 if k < 16 else 9, params=p, **store(y)))
    return out


def dihedrals(folder):
    out = []
    x = TensorImage(tensor(Resize(30)(picture(folder, 0), split_idx=1))[None])
    for k in range(8):
        y = Dihedral(p=1.0, draw=k)(x, split_idx=0)
        m = dihedral_mat(x, p=1.0, draw=k)[0]
        out.append(dict(k=k, matrix=m.flatten().tolist(), **store(torch.Tensor(y)[0].permute(1, 2, 0))))
    return out


def erasing():
    """The rectangles and what Python's random module drew for them."""
    out = []
    for k in range(12):
        random.seed(100 + k)
        count = 1 + k % 3
        t = RandomErasing(p=1.0, sl=0.05, sh=0.4, min_aspect=0.3, max_count=count)
        size = [20, 37, 64][k % 3]
        x = TensorImage(torch.full((1, 3, size, size), 9.0))
        y, drawn = recorded(lambda: t(x.clone(), split_idx=0))
        erased = (torch.Tensor(y)[0] != 9).any(0)
        rows = ["".join("x" if v else "." for v in row) for row in erased.tolist()]
        out.append(dict(size=size, count=count, drawn=drawn, rows=rows))
    return out


def operations(folder):
    """torchvision's 8-bit operations on whole pictures, and the tables of magnitudes."""
    names = [
        "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color",
        "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
    ]  # fmt: skip
    ops, t = [], RandAugment()
    for n, name in enumerate(names):
        for k in range(6):
            r = np.random.default_rng(1000 + 10 * n + k)
            sign = -1 if k % 2 else 1
            m = {
                "ShearX": 0.3, "ShearY": 0.3, "TranslateX": 40.0, "TranslateY": 40.0, "Rotate": 30.0,
                "Brightness": 0.9, "Color": 0.9, "Contrast": 0.9, "Sharpness": 0.9,
            }.get(name, 0.0) * r.uniform(0, 1) * sign  # fmt: skip
            if name == "Posterize":
                m = float(8 - k)
            if name == "Solarize":
                m = float(r.uniform(0, 1))
            image = torch.from_numpy(np.asarray(picture(folder, k % 3)).copy()).permute(2, 0, 1)
            if name in ("AutoContrast", "Equalize") and k >= 3:
                image = (image // 4 + 40 + k).to(torch.uint8)
                image[2] = 77
            source = sha(image.permute(1, 2, 0).numpy())
            y = t._apply_image_or_video_transform(image, name, m, interpolation=v2.InterpolationMode.NEAREST, fill={})
            changed = bool((y != image).any())
            ops.append(
                dict(name=name, magnitude=m, picture=k % 3, low=name in ("AutoContrast", "Equalize") and k >= 3,
                     shift=40 + k, source=source, changed=changed, sha256=sha(y.permute(1, 2, 0).numpy()))
            )  # fmt: skip
    tables = {}
    for label, space in (("rand", RandAugment._AUGMENTATION_SPACE), ("trivial", TrivialAugmentWide._AUGMENTATION_SPACE)):
        tables[label] = [
            dict(name=n, signed=s, magnitudes=None if f(31, 224, 224) is None else f(31, 224, 224).tolist())
            for n, (f, s) in space.items()
        ]
    return ops, tables


def mixes():
    """fastai's callbacks on a batch of numbers; what they drew is recorded."""
    out = []
    for k in range(6):
        torch.manual_seed(k)
        n, size = 7, 12
        x = torch.arange(n * 3 * size * size).reshape(n, 3, size, size).float() % 251 / 251
        y = torch.arange(n)
        cb = (MixUp if k < 3 else CutMix)()
        cb.learn = type("L", (), {})()
        cb.stack_y = True
        for name, value in dict(x=x, y=y, xb=(x.clone(),), yb=(y,)).items():
            setattr(cb.learn, name, value)
        orders, randperm = [], torch.randperm
        centres, randint = [], torch.randint

        def keep_perm(*a, **kw):
            orders.append(randperm(*a, **kw))
            return orders[-1]

        def keep_int(*a, **kw):
            centres.append(randint(*a, **kw))
            return centres[-1]

        torch.randperm, torch.randint = keep_perm, keep_int
        if k >= 3:
            sample = cb.distrib.sample
            lambdas = []

            def keep(*a):
                lambdas.append(sample(*a))
                return lambdas[-1]

            cb.distrib.sample = keep
            cb.learn.x = cb.learn.xb[0]
        cb.before_batch()
        torch.randperm, torch.randint = randperm, randint
        case = dict(kind="mixup" if k < 3 else "cutmix", n=n, size=size, partner=orders[0].tolist())
        if k < 3:
            case["weight"] = cb.lam.tolist()
        else:
            case["weight"] = [float(cb.lam)] * n
            case["lambda"] = float(lambdas[0])
            case["centre"] = [int(c) for c in centres]
        z = cb.learn.xb[0]
        case.update(store(z.permute(0, 2, 3, 1)))
        out.append(case)
    return out


def main():
    folder = Path(sys.argv[1])
    ops, tables = operations(folder)
    versions = ("fastai", "torch", "torchvision", "pillow", "numpy")
    head = dict(
        pictures=NAMES,
        versions={n: importlib.metadata.version(n) for n in versions},
        sizes=sizes(folder),
        colours=colours(folder),
        dihedrals=dihedrals(folder),
        erasing=erasing(),
        operations=ops,
        tables=tables,
        mixes=mixes(),
    )
    lines = []
    for key, value in head.items():
        if isinstance(value, list):
            rows = ",\n  ".join(json.dumps(v) for v in value)
            lines.append(f' "{key}": [\n  {rows}\n ]')
        else:
            lines.append(f' "{key}": {json.dumps(value)}')
    (folder / "more.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (folder / "more.bin").write_bytes(zlib.compress(b"".join(blob), 9))


if __name__ == "__main__":
    main()
