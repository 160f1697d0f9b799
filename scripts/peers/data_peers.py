#!/usr/bin/env python3
"""Training batches a second of other loaders, beside those of `orrery bench FOLDER --json`.

    bin/orrery bench FOLDER -b 64 --steps 60 --json > orrery.json
    python scripts/peers/data_peers.py FOLDER --orrery orrery.json --peers fastai torchvision dali ffcv

Prints one JSON object: a row for each peer and the ratios of Orrery's data rows to it. fastai runs the article's whole
pipeline; torchvision and DALI the nearest of what they have (DALI has no perspective); FFCV, from its own store of the
JPEG files, only a random resized crop and a flip. DALI (nvidia-dali-cuda120) and FFCV (ffcv, which needs
libopencv-dev and a compiler) are not in the peers' environment: a peer that cannot be imported is left out, by name.
"""
import argparse
import json
import os
import sys
import tempfile
import time


def rate(batches, count, size):
    """Images a second of `count` batches, after two that start the workers."""
    batches = iter(batches)
    for _ in range(2):
        next(batches)
    start = time.perf_counter()
    for _ in range(count):
        next(batches)
    return count * size / (time.perf_counter() - start)


def fastai(folder, size, count, workers):
    from fastai.vision.all import ImageDataLoaders, Resize, aug_transforms

    loaders = ImageDataLoaders.from_folder(
        folder, valid_pct=0.2, seed=42, item_tfms=Resize(460), bs=size, num_workers=workers, device="cpu",
        batch_tfms=aug_transforms(size=200, max_rotate=20, max_zoom=1.2))
    return rate(loaders.train, min(count, 20), size)


def torchvision(folder, size, count, workers):
    import torch
    from torchvision import datasets
    from torchvision.transforms import v2

    transforms = v2.Compose([
        v2.RandomCrop(384, pad_if_needed=True), v2.Resize(460, antialias=True), v2.RandomHorizontalFlip(), v2.RandomRotation(20),
        v2.RandomPerspective(0.2, p=0.75), v2.Resize(200, antialias=True), v2.ColorJitter(0.2, 0.2), v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True)])
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(folder, transforms), batch_size=size, shuffle=True, drop_last=True, num_workers=workers)
    return rate(loader, min(count, 20), size)


def dali(folder, size, count, workers):
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=size, num_threads=workers, device_id=None)
    def pipeline():
        files, labels = fn.readers.file(file_root=folder, random_shuffle=True)
        images = fn.decoders.image(files, device="cpu")
        images = fn.resize(fn.crop(images, crop=(384, 384)), size=460)
        images = fn.rotate(images, angle=fn.random.uniform(range=(-20.0, 20.0)), keep_size=True, fill_value=0)
        images = fn.brightness_contrast(fn.resize(images, size=200), brightness=fn.random.uniform(range=(0.8, 1.2)),
                                        contrast=fn.random.uniform(range=(0.8, 1.2)))
        images = fn.crop_mirror_normalize(images, dtype=types.FLOAT, mirror=fn.random.coin_flip())
        return images, labels

    pipe = pipeline()
    pipe.build()

    def batches():
        while True:
            yield pipe.run()

    return rate(batches(), count, size)


def ffcv(folder, size, count, workers):
    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.rgb_image import RandomResizedCropRGBImageDecoder
    from ffcv.fields.basics import IntDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import RandomHorizontalFlip, ToTensor
    from ffcv.writer import DatasetWriter
    from torchvision.datasets import ImageFolder

    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "set.beton")
        fields = {"image": RGBImageField(write_mode="jpg"), "label": IntField()}
        DatasetWriter(path, fields, num_workers=workers).from_indexed_dataset(ImageFolder(folder))
        loader = Loader(path, batch_size=size, num_workers=workers, order=OrderOption.RANDOM, drop_last=True, pipelines={
            "image": [RandomResizedCropRGBImageDecoder((200, 200)), RandomHorizontalFlip(), ToTensor()],
            "label": [IntDecoder(), ToTensor()]})
        for _ in loader:  # compiles
            break
        return rate(loader, min(count, len(loader) - 3), size)


PEERS = {"fastai": fastai, "torchvision": torchvision, "dali": dali, "ffcv": ffcv}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--orrery", help="what `orrery bench FOLDER --json` printed")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("-b", "--batch-size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=25)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    ours = {}
    if args.orrery:
        with open(args.orrery) as f:
            ours = {f"{r['input']} {r['pixels']}": r["images_per_second"] for r in json.load(f)["rows"] if r["work"] == "data"}
    rows = []
    for name in args.peers:
        try:
            speed = PEERS[name](args.folder, args.batch_size, args.batches, args.workers)
        except ImportError as e:
            print(f"{name} is left out: {e}", file=sys.stderr)
            continue
        rows.append({"peer": name, "workers": args.workers, "images_per_second": round(speed, 1),
                     "ratios": {k: round(v / speed, 1) for k, v in ours.items()}})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"orrery": ours, "peers": rows}, indent=1))


if __name__ == "__main__":
    main()
