#!/usr/bin/env python3
"""Training batches a second of other loaders and of Orrery's, in turns in one run.

    python scripts/peers/data_peers.py FOLDER --rounds 3 --peers fastai torchvision dali ffcv --out bench/results/DATE-data-peers

Every round takes each peer and Orrery once, each in a process of its own; a ratio is the median of the rounds'. fastai runs
the article's whole pipeline; torchvision and DALI the nearest of what they have (DALI has no perspective, and rotates
about black); FFCV, from its own store of the JPEG files, only a random resized crop and a flip, beside which Orrery runs the
same two. DALI (nvidia-dali-cuda130) and FFCV (ffcv, which needs libopencv-dev and a compiler) are not in the peers'
environment: a peer that cannot be imported is left out, by name. Orrery runs through scripts/setup/env.sh.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from in_turns import ROOT, bench, machine, run, write

# FFCV's pipeline as a recipe of ours.
CROP_AND_FLIP = "size: 200\npixels: fast\ntransforms:\n  - random_resized_crop: {size: 200, min_scale: 0.08, max_scale: 1}\n  - flip\n"


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
    return rate(loaders.train, min(count, len(loaders.train) - 2), size)


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
    return rate(loader, min(count, len(loader) - 2), size)


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


def orrery(args, *flags):
    return bench(args.orrery, args.folder, "--work", "data", "-b", args.batch_size, "--steps", args.batches, "--workers", args.workers, *flags)


def markdown(result):
    m = statistics.median
    lines = [f"# Loaders on {result['folder']}, images a second, in turns", "",
             f"{result['date']}, {result['machine']['cpu']}, {result['workers']} workers, batches of {result['batch_size']}, "
             f"{result['rounds']} rounds; medians, and the medians of the rounds' ratios (least-greatest).", "",
             f"Command: `{result['command']}`.", "", "| peer | its images/s | Orrery's work | Orrery's images/s | ratio |", "|---|---|---|---|---|"]
    for name, peer in result["peers"].items():
        ours = result["crop_and_flip"] if name == "ffcv" else result["article"]
        for work in ours[0]:
            ratios = [o[work] / p for o, p in zip(ours, peer)]
            lines.append(f"| {name} | {m(peer):.0f} | {work} | {m([o[work] for o in ours]):.0f} | {m(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f}) |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--orrery", default=ROOT / "bin" / "orrery")
    parser.add_argument("-b", "--batch-size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", help="path of the results, without ending")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"))
    parser.add_argument("--one", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(PEERS[args.one](args.folder, args.batch_size, args.batches, args.workers)))
        return
    peers, article, crop_and_flip = {name: [] for name in args.peers}, [], []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as recipe:
        recipe.write(CROP_AND_FLIP)
        recipe.flush()
        for _ in range(args.rounds):
            article.append(orrery(args))
            if "ffcv" in peers:
                crop_and_flip.append(orrery(args, "-c", recipe.name, "--pixels", "fast"))
            for name in list(peers):
                try:
                    printed = run([sys.executable, __file__, args.folder, "--one", name, "-b", args.batch_size,
                                   "--batches", args.batches, "--workers", args.workers])
                    peers[name].append(float(printed.split()[-1]))
                except subprocess.CalledProcessError:
                    print(f"{name} is left out: it failed, see above", file=sys.stderr)
                    del peers[name]
            print(article[-1], crop_and_flip[-1:], {k: v[-1] for k, v in peers.items()}, file=sys.stderr, flush=True)
    name = pathlib.Path(args.folder).name
    result = dict(date=args.date, machine=machine(), folder=name, batch_size=args.batch_size, workers=args.workers, rounds=args.rounds,
                  command=f"scripts/peers/data_peers.py {name} --rounds {args.rounds} --peers {' '.join(args.peers)}",
                  article=article, crop_and_flip=crop_and_flip, peers=peers)
    write(args.out, result, markdown(result))


if __name__ == "__main__":
    main()
