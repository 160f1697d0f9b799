#!/usr/bin/env python3
"""Goldens for package models: logits of torchvision's, timm's, transformers' and efficientnet_lite_pytorch's networks.

Writes models/testdata/logits.json: for each network the logits of two pictures in evaluation and in training mode, and for
the other libraries' layouts the names and shapes of their state_dict. Weights and pictures come from a hash that the Go test
repeats (see `uniform`), so none is stored.

    python scripts/golden/models_torchvision.py
"""
import json
import pathlib

import numpy as np
import timm
import torch
import torchvision
import transformers
from efficientnet_lite_pytorch import EfficientNet

CLASSES, SIZE, BATCH = 10, 64, 2


def uniform(n, k):
    """n numbers in [0, 1): the top 24 bits of Murmur3's finalizer of i * 0x9E3779B9 + k * 0x85EBCA6B + 1."""
    h = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32((k * 0x85EBCA6B + 1) & 0xFFFFFFFF)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float64) / 2**24


def value(name, shape, k):
    """Tensor number k of a state_dict: weights of variance 1/fan in; scales and variances in [0.5, 1.5); the rest in [-0.1, 0.1)."""
    n = int(np.prod(shape))
    u = uniform(n, k)
    if len(shape) > 1:
        v = (2 * u - 1) * np.sqrt(3 / (n // shape[0]))
    elif name.endswith(("weight", "running_var")):
        v = 0.5 + u
    else:
        v = 0.2 * u - 0.1
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def fill(model):
    state = model.state_dict()
    for k, (name, t) in enumerate(state.items()):
        if not name.endswith("num_batches_tracked"):
            state[name] = value(name, t.shape, k)
    model.load_state_dict(state)


def run(model, layout):
    fill(model)
    x = torch.from_numpy((2 * uniform(BATCH * 3 * SIZE * SIZE, 1000) - 1).astype(np.float32).reshape(BATCH, 3, SIZE, SIZE))
    logits = lambda: getattr(y := model(x), "logits", y)  # noqa: E731
    with torch.no_grad():
        model.eval()
        out = {"eval": logits().flatten().tolist()}
        if layout is None:
            model.train()
            out["train"] = logits().flatten().tolist()
    if layout is not None:
        model.eval()
        out["layout"] = layout
        out["names"] = [[name, list(t.shape)] for name, t in model.state_dict().items()]
    out["parameters"] = sum(p.numel() for p in model.parameters())
    return out


def main():
    torch.manual_seed(0)
    tv = torchvision.models
    models = {}
    for name in ["resnet18", "resnet34", "resnet50", "mobilenet_v3_small", "mobilenet_v3_large", "convnext_tiny"]:
        options = {"stochastic_depth_prob": 0.0} if name.startswith("convnext") else {}
        if name.startswith("mobilenet"):
            options = {"dropout": 0.0}
        models[name] = run(getattr(tv, name)(num_classes=CLASSES, **options), None)
    for i in range(5):
        lite = EfficientNet.from_name(f"efficientnet-lite{i}", num_classes=CLASSES, image_size=SIZE, dropout_rate=0.0, drop_connect_rate=0.0, local_pooling=False)
        models[f"efficientnet_lite{i}"] = run(lite, None)
    layouts = {}
    for ours, theirs in {
        "resnet18": "resnet18", "mobilenet_v3_small": "mobilenetv3_small_100", "mobilenet_v3_large": "mobilenetv3_large_100",
        "convnext_tiny": "convnext_tiny", "efficientnet_lite0": "tf_efficientnet_lite0", "efficientnet_lite3": "tf_efficientnet_lite3",
    }.items():
        layouts[f"{ours} timm"] = run(timm.create_model(theirs, num_classes=CLASSES, drop_rate=0.0), "timm")
    hf = {
        "resnet18": transformers.ResNetForImageClassification(transformers.ResNetConfig(
            embedding_size=64, hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic", num_labels=CLASSES)),
        "resnet50": transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=CLASSES)),
        "convnext_tiny": transformers.ConvNextForImageClassification(transformers.ConvNextConfig(num_labels=CLASSES)),
    }
    for ours, model in hf.items():
        layouts[f"{ours} Hugging Face"] = run(model, "Hugging Face")
    golden = {
        "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__,
                     "transformers": transformers.__version__, "efficientnet_lite_pytorch": "0.1.0"},
        "classes": CLASSES, "size": SIZE, "batch": BATCH, "models": models, "layouts": layouts,
    }
    text = json.dumps(golden, separators=(",", ":"))
    pathlib.Path("models/testdata/logits.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
