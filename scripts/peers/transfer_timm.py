#!/usr/bin/env python3
"""The recipe `transfer` in timm: the peer of `orrery train PHOTOS --recipe transfer --pretrained FILE`.

The same file of weights in timm's tf_efficientnet_lite0, the same pictures (sorted paths), split, batches an epoch and
sizes; fastai 2.8.12's own Resize, aug_transforms and Normalize for what happens to a picture, and its optimiser, schedule
and rates, written out. Frozen stages run in evaluation and without a graph, as there. One JSON object a seed on standard
output, progress on standard error.

    python scripts/peers/transfer_timm.py PHOTOS --weights FILE --recipe trainer/recipes/transfer.yaml --seeds 1 2 3

Needs the peers' Python (versions.mk; `make peers`). Before anything is trained, timm's logits are held against those of
efficientnet_lite_pytorch with the same file.
"""
import argparse, json, math, pathlib, sys, time

import timm
import torch
import yaml
from fastai.data.block import CategoryBlock, DataBlock
from fastai.data.transforms import Normalize, RandomSplitter, get_image_files, parent_label
from fastai.torch_core import set_seed
from fastai.vision.augment import Resize, ResizeMethod, aug_transforms
from fastai.vision.data import ImageBlock
from PIL import Image
from torch import nn

DEFAULTS = dict(epochs=5, freeze_epochs=1, freeze=0, lr_ratio=100, lr=0.003, batch_size=32, item_size=192, size=160,
                weight_decay=0.01, label_smoothing=0.0, interpolation="bicubic")


def timm_model(path, classes):
    """timm's network with the file's weights, and a fresh head."""
    state = torch.load(path, weights_only=True)
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=1000, bn_momentum=0.01)  # as the file's package
    own = net.state_dict()
    counted = [k for k in own if not k.endswith("num_batches_tracked")]
    given = [k for k in state if not k.endswith("num_batches_tracked")]
    assert len(counted) == len(given), (len(counted), len(given))
    for mine, theirs in zip(counted, given):  # both list the layers in the order they run
        assert own[mine].shape == state[theirs].shape, (mine, theirs)
        own[mine] = state[theirs]
    net.load_state_dict(own)
    hold(net, state)
    net.reset_classifier(classes)
    nn.init.kaiming_uniform_(net.classifier.weight, a=math.sqrt(5))  # nn.Linear's own, as in Orrery
    bound = 1 / math.sqrt(net.num_features)
    nn.init.uniform_(net.classifier.bias, -bound, bound)
    return net


def hold(net, state):
    """timm's network must give what the package that made the file gives."""
    from efficientnet_lite_pytorch import EfficientNet
    reference = EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(state)
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        d = (net.eval()(x) - reference.eval()(x)).abs().max().item()
    assert d < 1e-3, f"timm's logits differ by {d}"
    print(f"timm's logits are within {d:.1g} of efficientnet_lite_pytorch's", file=sys.stderr)


class Staged(nn.Module):
    """timm's network cut into Orrery's eight stages: stem with the first blocks, blocks, head with the last ones, classifier."""

    def __init__(self, net):
        super().__init__()
        blocks = list(net.blocks)
        self.stages = nn.ModuleList([
            nn.Sequential(net.conv_stem, net.bn1, blocks[0]), *blocks[1:-1],
            nn.Sequential(blocks[-1], net.conv_head, net.bn2), nn.Sequential(net.global_pool, net.classifier)])
        self.frozen = 0

    def freeze(self, stages):
        self.frozen = stages
        for i, s in enumerate(self.stages):
            s.requires_grad_(i >= stages)

    def train(self, mode=True):
        super().train(mode)
        for s in self.stages[:self.frozen]:
            s.eval()
        return self

    def forward(self, x):
        with torch.no_grad():
            for s in self.stages[:self.frozen]:
                x = s(x)
        for s in self.stages[self.frozen:]:
            x = s(x)
        return x


def cosine(a, b, p):
    return a + (1 + math.cos(math.pi * (1 - p))) * (b - a) / 2


def cycle(lr, i, n, div, warm):
    """fastai's combined_cos over n steps: rate and Adam's first beta."""
    p = i / n
    if p <= warm:
        return cosine(lr / div, lr, p / warm), cosine(0.95, 0.85, p / warm)
    p = (p - warm) / (1 - warm)
    return cosine(lr, lr / 1e5, p), cosine(0.85, 0.95, p)


def optimiser(model, r):
    """fastai's Adam; each stage has its rate, vectors do not decay."""
    groups, n = [], len(model.stages)
    for i, s in enumerate(model.stages):
        share = r["lr_ratio"] ** (-(n - 1 - i) / (n - 1))
        for vectors in (False, True):
            params = [p for p in s.parameters() if (p.dim() <= 1) == vectors]
            groups.append(dict(params=params, share=share, weight_decay=0.0 if vectors else r["weight_decay"]))
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=r["lr"], betas=(0.9, 0.99), eps=1e-5)


def sorted_images(folder):
    return sorted(get_image_files(folder), key=lambda p: p.relative_to(folder).as_posix())


def loaders(folder, r, seed, split_seed, workers):
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    photos = DataBlock(
        blocks=(ImageBlock, CategoryBlock), get_items=sorted_images, get_y=parent_label,
        splitter=RandomSplitter(valid_pct=0.2, seed=split_seed),
        item_tfms=Resize(r["item_size"], method=ResizeMethod.Crop,
                         resamples=(filters[r["interpolation"]], Image.Resampling.NEAREST)),
        batch_tfms=[*aug_transforms(size=r["size"], max_rotate=20, max_zoom=1.2),
                    Normalize.from_stats([0.5] * 3, [0.5] * 3, cuda=False)])
    set_seed(seed)
    return photos.dataloaders(folder, bs=r["batch_size"], num_workers=workers, device="cpu")


def plain(batch):
    """The batch's tensors without fastai's classes, the pictures in the layout that is faster on CPUs."""
    x, y = (t.as_subclass(torch.Tensor) for t in batch)
    return x.contiguous(memory_format=torch.channels_last), y


@torch.no_grad()
def accuracy(model, batches):
    model.eval()
    hits = n = 0
    for x, y in map(plain, batches):
        hits, n = hits + (model(x).argmax(1) == y).sum().item(), n + len(y)
    return hits / n


def train(folder, weights, r, seed, split_seed, workers):
    began = time.perf_counter()
    dls = loaders(folder, r, seed, split_seed, workers)
    torch.manual_seed(seed)
    model = Staged(timm_model(weights, len(dls.vocab))).to(memory_format=torch.channels_last)
    loss_of = nn.CrossEntropyLoss(label_smoothing=r["label_smoothing"])
    per_epoch = len(dls.train)
    frozen_steps, steps, step, history = per_epoch * r["freeze_epochs"], per_epoch * r["epochs"], 0, []
    for epoch in range(r["epochs"]):
        if epoch in (0, r["freeze_epochs"]):
            model.freeze(len(model.stages) - 1 if epoch < r["freeze_epochs"] else r["freeze"])
            rule = optimiser(model, r)
        model.train()
        for x, y in map(plain, dls.train):
            if step < frozen_steps:
                lr, beta = cycle(r["lr"], step, frozen_steps, 25, 0.99)
            else:
                lr, beta = cycle(r["lr"] / 2, step - frozen_steps, steps - frozen_steps, 5, 0.3)
            for g in rule.param_groups:
                g["lr"], g["betas"] = lr * g["share"], (beta, 0.99)
            rule.zero_grad()
            loss_of(model(x), y).backward()
            rule.step()
            step += 1
        history.append(accuracy(model, dls.valid))
        print(f"seed {seed} epoch {epoch}: accuracy {history[-1]:.4f} after {time.perf_counter() - began:.0f} s",
              file=sys.stderr, flush=True)
    return dict(seed=seed, accuracy=history[-1], history=history, seconds=time.perf_counter() - began,
                train_images=len(dls.train_ds), valid_images=len(dls.valid_ds))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("photos", type=pathlib.Path)
    p.add_argument("--weights", required=True)
    p.add_argument("--recipe", required=True)
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    p.add_argument("--split-seed", type=int, help="of all runs; without it, each run's seed")
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--threads", type=int, help="that compute; without it, one a core")
    a = p.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    recipe = DEFAULTS | {k: v for k, v in yaml.safe_load(open(a.recipe)).items() if k in DEFAULTS}
    for seed in a.seeds:
        split_seed = seed if a.split_seed is None else a.split_seed
        print(json.dumps(train(a.photos, a.weights, recipe, seed, split_seed, a.workers)), flush=True)
