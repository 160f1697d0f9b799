"""Makes augment/testdata/fastai.* : what fastai and Pillow do with small pictures.

Run with a Python that has fastai 2.8.12 (`make` keeps one for the peers):

    python scripts/golden/augment_fastai.py augment/testdata [trashnet folder]

fastai draws the random numbers itself; they are recorded on their way through its `_draw_mask`, so a
test can feed the same numbers to our pipeline and compare coordinates and pixels.

Written files:
    *.png         three small synthetic pictures
    fastai.json   versions, configurations, drawn numbers, coordinates, checksums of Pillow's resize
    fastai.bin    the finished pixels, zlib over little-endian uint16, value = low + u/65535*(high-low)
    photos.json, photos.bin   the same for a few real photos, every second row and column
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
import torch.nn.functional as F
from fastai.vision.all import (
    IntToFloatTensor,
    Normalize,
    PILImage,
    Resize,
    TensorImage,
    ToTensor,
    aug_transforms,
    imagenet_stats,
)
from fastai.vision import augment
from PIL import Image

drawn, grids, areas = [], [], []


def record():
    """Keeps what fastai draws, where it samples and whether it resizes by area first."""
    original_mask, original_grid, original_interpolate = (
        augment._draw_mask,
        augment._grid_sample,
        F.interpolate,
    )

    def draw_mask(x, def_draw, *args, **kwargs):
        out = original_mask(x, def_draw, *args, **kwargs)
        drawn.append((def_draw.__qualname__, out.clone().tolist()))
        return out

    def grid_sample(x, coords, *args, **kwargs):
        grids.append(coords.clone())
        return original_grid(x, coords, *args, **kwargs)

    def interpolate(x, *args, **kwargs):
        out = original_interpolate(x, *args, **kwargs)
        areas.append(list(out.shape[-2:]))
        return out

    augment._draw_mask, augment._grid_sample = draw_mask, grid_sample
    augment.F.interpolate = interpolate


def params(n, crops, train):
    """The recorded numbers as one dictionary per picture."""
    out = [
        {
            "CropX": c[0], "CropY": c[1], "Flip": False, "Rotate": 0.0, "Zoom": 1.0,
            "CenterX": 0.5, "CenterY": 0.5, "WarpX": 0.0, "WarpY": 0.0,
            "Brightness": 0.5, "Contrast": 1.0,
        }
        for c in crops
    ]  # fmt: skip
    if not train:
        return out
    count = {}
    for name, values in drawn:
        kind = name.split(".<locals>")[0]
        k = count[name] = count.get(name, -1) + 1
        key = {
            "flip_mat": ["Flip"],
            "rotate_mat": ["Rotate"],
            "_WarpCoord._def_draw": ["WarpX", "WarpY"],
            "_BrightnessLogit._def_draw": ["Brightness"],
            "_ContrastLogit._def_draw": ["Contrast"],
            "zoom_mat": ["CenterX", "CenterY"] if "ctr" in name else ["Zoom"],
        }[kind][k]
        for i in range(n):
            v = values[i]
            out[i][key] = bool(v) if key == "Flip" else float(v)
    return out


def run(case, pictures, blob, stride=1):
    torch.manual_seed(case["seed"])
    random.seed(case["seed"])
    drawn.clear(), grids.clear(), areas.clear()
    split = 0 if case["train"] else 1
    resize = Resize(case["item"])
    items, crops, sums = [], [], []
    for i in case["pictures"]:
        item = resize(PILImage.create(pictures[i]), split_idx=split)
        crops.append([float(p) for p in resize.pcts])
        sums.append(hashlib.sha256(np.asarray(item).tobytes()).hexdigest())
        items.append(ToTensor()(item))
    x = IntToFloatTensor()(TensorImage(torch.stack(items)), split_idx=split)
    tfms = aug_transforms(size=case["size"], **case["aug"])
    if case.get("normalize"):
        tfms = tfms + [Normalize.from_stats(*imagenet_stats, cuda=False)]
    for t in sorted(tfms, key=lambda t: t.order):
        x = t(x, split_idx=split)
    y = x.as_subclass(torch.Tensor).permute(0, 2, 3, 1)[:, ::stride, ::stride].double().numpy()
    low, high = float(y.min()), float(y.max())
    u = np.round((y - low) / (high - low) * 65535).astype("<u2")
    grid = grids[-1].double()
    n = case["size"]
    at = sorted({0, n // 3, n // 2, n - 1})
    case.update(
        params=params(len(items), crops, case["train"]),
        resized=sums,
        area=areas[-1] if areas else None,
        points=at,
        coordinates=[[[grid[k, i, j].tolist() for j in at] for i in at] for k in range(len(items))],
        low=low, high=high, stride=stride, offset=sum(map(len, blob)), values=int(u.size),
    )  # fmt: skip
    blob.append(u.tobytes())
    return case


def synthetic(name, w, h, seed):
    """A gradient, a few discs with hard edges, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    rgb = np.stack([255 * x / w, 255 * y / h, 255 * (x + y) / (w + h)], -1)
    for _ in range(6):
        cx, cy, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(4, min(w, h) / 3)
        rgb[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = rng.uniform(0, 255, 3)
    rgb += rng.normal(0, 12, rgb.shape)
    Image.fromarray(np.clip(rgb, 0, 255).round().astype(np.uint8)).save(name)
    return name


def resizes(pictures):
    """Checksums of Pillow's bilinear resize of crops, up and down, even and odd, square and not."""
    rng = np.random.default_rng(5)
    out = []
    for k in range(200):
        i = k % len(pictures)
        im = Image.open(pictures[i]).convert("RGB")
        w, h = (int(v) for v in (rng.integers(1, im.width + 1), rng.integers(1, im.height + 1)))
        to_w, to_h = (int(v) for v in rng.integers(1, 140, 2))
        if k < 10:
            to_w, to_h = k + 1, 10 - k
        if k >= 130:
            w = h = min(w, h)
            to_h = to_w = k - 70 if k < 160 else to_w
        x, y = int(rng.integers(0, im.width - w + 1)), int(rng.integers(0, im.height - h + 1))
        r = im.crop((x, y, x + w, y + h))
        r = r.resize((to_w, to_h), Image.BILINEAR)
        sha = hashlib.sha256(np.asarray(r).tobytes()).hexdigest()
        out.append({"picture": i, "crop": [x, y, w, h], "to": [to_w, to_h], "sha256": sha})
    return out


def text(head):
    """JSON with one case, one checksum or one name a line."""
    lines = []
    for key, value in head.items():
        if isinstance(value, list):
            rows = ",\n  ".join(json.dumps(v) for v in value)
            lines.append(f' "{key}": [\n  {rows}\n ]')
        else:
            lines.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(folder, stem, head, cases, blob):
    names = ("fastai", "torch", "pillow", "numpy")
    head["versions"] = {n: importlib.metadata.version(n) for n in names}
    head["cases"] = cases
    (folder / f"{stem}.json").write_text(text(head))
    (folder / f"{stem}.bin").write_bytes(zlib.compress(b"".join(blob), 9))


def main():
    folder = Path(sys.argv[1])
    pictures = [
        synthetic(folder / "wide.png", 90, 64, 1),
        synthetic(folder / "tall.png", 53, 80, 2),
        synthetic(folder / "square.png", 64, 64, 3),
    ]
    record()
    article = dict(max_rotate=20, max_zoom=1.2)
    every = [0, 1, 2, 0, 1, 2]
    cases = [
        dict(name="article", seed=1, train=True, item=92, size=40, pictures=every, aug=article),
        dict(name="article again", seed=2, train=True, item=92, size=40, pictures=[0, 1, 2], aug=article),
        dict(name="validation", seed=3, train=False, item=92, size=40, pictures=[0, 1, 2], aug=article),
        dict(name="odd sizes", seed=4, train=True, item=83, size=37, pictures=every, aug=article),
        dict(name="smaller item", seed=5, train=True, item=46, size=20, pictures=every, aug=article),
        dict(name="no area step", seed=6, train=True, item=60, size=40, pictures=[0, 1, 2], aug=article),
        dict(name="wide windows", seed=7, train=True, item=131, size=16, pictures=every, aug=article),
        dict(name="zoomed in", seed=8, train=True, item=92, size=40, pictures=[0],
             aug=dict(min_zoom=2.2, max_zoom=2.4, max_rotate=0, max_warp=0, p_affine=1.0)),
        dict(name="strong warp", seed=9, train=True, item=92, size=40, pictures=every,
             aug=dict(max_rotate=45, max_warp=0.4, max_lighting=0.5, p_affine=1.0, p_lighting=1.0)),
        dict(name="normalized", seed=10, train=True, item=92, size=40, pictures=[0, 1],
             aug=article, normalize=True),
        dict(name="no flip", seed=11, train=True, item=92, size=40, pictures=[0, 1],
             aug=dict(do_flip=False, max_rotate=5, max_zoom=1.0, max_warp=0, p_lighting=1.0)),
    ]  # fmt: skip
    blob = []
    done = [run(c, pictures, blob) for c in cases]
    head = {"pictures": [p.name for p in pictures], "resizes": resizes(pictures)}
    write(folder, "fastai", head, done, blob)
    if len(sys.argv) < 3:
        return
    root = Path(sys.argv[2])
    names = [
        "cardboard/cardboard1.jpg", "glass/glass100.jpg", "metal/metal1.jpg", "trash/trash30.jpg",
    ]  # fmt: skip
    photos = [root / n for n in names]
    blob = []
    cases = [
        dict(name="photos", seed=21, train=True, item=460, size=200, pictures=[0, 1, 2, 3], aug=article),
        dict(name="photos, validation", seed=22, train=False, item=460, size=200, pictures=[0, 1], aug=article),
    ]  # fmt: skip
    done = [run(c, photos, blob, stride=3) for c in cases]
    write(folder, "photos", {"pictures": names}, done, blob)


main()
