"""How many pictures a second fastai's own loader makes of a folder, the article's transforms.

    python scripts/peers/fastai_loader.py FOLDER [--workers 0,2] [--batches 8] [--batch-size 64]

Prints one JSON object a line: {"peer", "work", "workers", "images", "seconds", "images_per_second",
"images_per_cpu_second"}. The batches are made and thrown away; with workers, the first one (their
start) is not counted, and neither is their processor time (null).
"""

import argparse
import importlib.metadata
import json
import time

import torch
from fastai.vision.all import ImageDataLoaders, Resize, aug_transforms


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--workers", default="0,2", help="comma-separated numbers of workers")
    parser.add_argument("--batches", type=int, default=8, help="how many batches to time")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for workers in (int(w) for w in args.workers.split(",")):
        loaders = ImageDataLoaders.from_folder(
            args.folder,
            valid_pct=0.2,
            seed=42,
            item_tfms=Resize(460),
            batch_tfms=aug_transforms(size=200, max_rotate=20, max_zoom=1.2),
            bs=args.batch_size,
            num_workers=workers,
            device=torch.device("cpu"),
        )
        batches = iter(loaders.train)
        next(batches)
        start, cpu, images = time.perf_counter(), time.process_time(), 0
        for _ in range(args.batches):
            x, _ = next(batches)
            images += len(x)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        del batches
        result = {
            "peer": "fastai " + importlib.metadata.version("fastai"),
            "work": "data",
            "workers": workers,
            "images": images,
            "seconds": round(seconds, 3),
            "images_per_second": round(images / seconds, 1),
            "images_per_cpu_second": None if workers else round(images / cpu, 1),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
