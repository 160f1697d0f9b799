"""Writes data/testdata/resize.json: Pillow's bilinear resize of a small noisy picture.

Pillow 13 scales along the columns first where that is cheaper (wide and flat results); our Resize never
does, so the cases here are those where both go along the rows first.

Run: python scripts/golden/data_resize.py data/testdata/resize.json
"""

import base64
import json
import sys
import zlib

import numpy as np
import PIL
from PIL import Image


def pack(a):
    return base64.b64encode(zlib.compress(np.ascontiguousarray(a).tobytes(), 9)).decode()


rng = np.random.default_rng(7)
src = rng.integers(0, 256, (23, 31, 3), dtype=np.uint8)
src[5:15, 8:20] = (255, 0, 128)
src[2:6, 2:9] = 255
src[18:, 20:] = 0
im = Image.fromarray(src, "RGB")
cases = []
for w, h in ((31, 23), (15, 11), (16, 23), (31, 7), (8, 6), (1, 1), (62, 46), (20, 19), (3, 50)):
    out = im.resize((w, h), Image.Resampling.BILINEAR)
    cases.append({"width": w, "height": h, "rgb": pack(np.asarray(out))})
with open(sys.argv[1], "w") as f:
    json.dump({"pillow": PIL.__version__, "width": 31, "height": 23, "rgb": pack(src), "cases": cases}, f)
