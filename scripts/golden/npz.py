#!/usr/bin/env python3
"""Writes report/npz/testdata/numpy.npz, the arrays that package npz must read and write as NumPy does.

Needs numpy; run from the repository's root: python3 scripts/golden/npz.py
"""
import numpy as np

np.savez_compressed(
    "report/npz/testdata/numpy.npz",
    made_by=np.array([f"numpy {np.__version__}"]),
    f4=np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7,
    f8=np.array([0.1, -2.5, np.inf, np.nan]),
    i4=np.array([-1, 2**31 - 1], dtype=np.int32),
    i8=np.array([[-(2**62)], [3]], dtype=np.int64),
    u4=np.array([0, 2**32 - 1], dtype=np.uint32),
    u1=np.arange(5, dtype=np.uint8),
    text=np.array(["0.conv", "", "été 行星"]),
    scalar=np.array(3.5),
    empty=np.zeros((0, 4), dtype=np.float32),
)
