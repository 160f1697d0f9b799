#!/usr/bin/env python3
"""Writes report/tensorboard/golden_test.go: the bytes of a few events, made by TensorBoard's own classes.

Needs tensorboard 2.20.0; run from the repository's root: python3 scripts/golden/report_events.py
"""
import io
import struct

import tensorboard
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

WALL = 1_700_000_000.5
Value = summary_pb2.Summary.Value
events = [
    event_pb2.Event(wall_time=WALL, step=0, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=WALL, step=7, summary=summary_pb2.Summary(value=[Value(tag="train/loss", simple_value=0.25)])),
    event_pb2.Event(wall_time=WALL, step=300, summary=summary_pb2.Summary(value=[Value(tag="é", simple_value=-1e30)])),
    event_pb2.Event(wall_time=WALL, step=8, summary=summary_pb2.Summary(value=[Value(tag="h", histo=summary_pb2.HistogramProto(
        min=-1, max=3, num=202, sum=4, sum_squares=9, bucket_limit=[0, 1.5, 3], bucket=[2, 0, 200]))])),
    event_pb2.Event(wall_time=WALL, step=9, summary=summary_pb2.Summary(value=[Value(tag="i", image=summary_pb2.Summary.Image(
        height=2, width=640, colorspace=3, encoded_image_string=b"png"))])),
]
out = io.BytesIO()
for event in events:
    content = event.SerializeToString(deterministic=True)
    head = struct.pack("<Q", len(content))
    out.write(head + struct.pack("<I", masked_crc32c(head)) + content + struct.pack("<I", masked_crc32c(content)))
text = out.getvalue().hex()
with open("report/tensorboard/golden_test.go", "w") as f:
    f.write(f"package tensorboard\n\n// Written by scripts/golden/report_events.py with tensorboard {tensorboard.__version__}.\nconst golden = \"\" +\n")
    lines = [f'\t"{text[i:i + 120]}"' for i in range(0, len(text), 120)]
    f.write(" +\n".join(lines) + "\n")
