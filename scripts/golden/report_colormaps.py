#!/usr/bin/env python3
"""matplotlib's colours, for report's colour maps: writes report/testdata/colormaps.json.

Needs matplotlib, which the peers' environment has with fastai.
"""
import json
from pathlib import Path

import matplotlib
import numpy as np

NAMES = ["gist_heat", "hot", "bone", "jet", "cool", "gray", "gray_r"]
VALUES = np.arange(256) / 255

# 256 entries, so that no value falls between two of matplotlib's table.
maps = {n: (matplotlib.colormaps[n](VALUES)[:, :3] * 255).round().astype(int).tolist() for n in NAMES}
out = Path(__file__).parents[2] / "report" / "testdata" / "colormaps.json"
out.write_text(json.dumps({"matplotlib": matplotlib.__version__, "maps": maps}, separators=(",", ":")) + "\n")
