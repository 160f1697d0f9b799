"""Makes augment/testdata/bicubic.json: checksums of Pillow's bicubic resize of crops, up and down, and of
fastai's Resize with that filter.

    python scripts/golden/augment_bicubic.py augment/testdata

Reads the pictures scripts/golden/augment_fastai.py made.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import fastai
import PIL
from fastai.vision.augment import Resize
from fastai.vision.core import PILImage
from PIL import Image

NAMES = ["wide.png", "tall.png", "square.png"]

folder = Path(sys.argv[1])
pictures = [Image.open(folder / name).convert("RGB") for name in NAMES]
rng = np.random.default_rng(6)
lines = []
for k in range(150):
    i = k % len(NAMES)
    im = pictures[i]
    w, h = (int(v) for v in (rng.integers(1, im.width + 1), rng.integers(1, im.height + 1)))
    to_w, to_h = (int(v) for v in rng.integers(1, 140, 2))
    if k < 10:  # hardly any pixels
        to_w, to_h = k + 1, 10 - k
    if k >= 90:  # squares, as a pipeline has them
        w = h = min(w, h)
        to_h = to_w
    x, y = int(rng.integers(0, im.width - w + 1)), int(rng.integers(0, im.height - h + 1))
    small = im.crop((x, y, x + w, y + h)).resize((to_w, to_h), Image.Resampling.BICUBIC)
    sha = hashlib.sha256(np.asarray(small).tobytes()).hexdigest()
    lines.append(json.dumps({"picture": i, "crop": [x, y, w, h], "to": [to_w, to_h], "sha256": sha}))
items = []
for i, name in enumerate(NAMES):
    for size in (24, 61, 150):
        one = Resize(size, resamples=(Image.Resampling.BICUBIC, Image.Resampling.NEAREST))
        out = one(PILImage.create(folder / name), split_idx=1)
        sha = hashlib.sha256(np.asarray(out).tobytes()).hexdigest()
        items.append(json.dumps({"picture": i, "crop": [0, 0, 0, 0], "to": [size, size], "sha256": sha}))
head = f'{{"pictures": {json.dumps(NAMES)}, "versions": {json.dumps({"pillow": PIL.__version__, "fastai": fastai.__version__})}, "resizes": [\n'
(folder / "bicubic.json").write_text(head + ",\n".join(lines) + "\n], \"items\": [\n" + ",\n".join(items) + "\n]}\n")
