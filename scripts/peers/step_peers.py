#!/usr/bin/env python3
"""Whole training steps (or predictions) of PyTorch and fastai and of Orrery, in turns in one run.

    python scripts/peers/step_peers.py FOLDER --batch-size 64 --rounds 3 --out bench/results/DATE-step-cnn8-64
    python scripts/peers/step_peers.py --model resnet18 --size 128 --batch-size 32 --out ...
    python scripts/peers/step_peers.py --model efficientnet_lite0 --size 224 --batch-size 32 --out ...
    python scripts/peers/step_peers.py --work predict --batch-size 1 --out ...

Every round takes `orrery bench` and each peer once, each in a process of its own; a ratio is the median of the rounds'.
Peers: PyTorch eager and torch.compile in both layouts, on random pictures with fused Adam; with FOLDER also fastai, an epoch of
the article's network on those pictures with everything it does. cnn8 is the article's network with ReLU and BatchNorm, the others
are torchvision's and timm's with all weights trained. Orrery's rows are those of `orrery bench` (synthetic: random pictures;
store: real ones, decoded and augmented beside the step). Run it on an otherwise idle machine with the peers' Python.
"""
import argparse
import os
import pathlib
import statistics
import sys
import time

from in_turns import ROOT, bench, machine, run, write

TORCH = ["eager nchw", "eager nhwc", "compile nchw", "compile nhwc"]


def network(name):
    if name == "cnn8":
        from fastai_ladder import cnn8

        return cnn8(4, True, True)
    if name.startswith("resnet"):
        import torchvision

        return getattr(torchvision.models, name)(num_classes=4)
    import timm

    return timm.create_model(name, num_classes=4)


def torch_rate(peer, args):
    """Images a second of PyTorch, its warm-up (and compilation) left out."""
    import torch

    way, layout = peer.split()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    form = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    model = network(args.model).to(memory_format=form)
    x = torch.rand(args.batch_size, 3, args.size, args.size).contiguous(memory_format=form)
    y = torch.randint(0, 4, (args.batch_size,))
    run = torch.compile(model) if way == "compile" else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def train():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(run(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict():
        with torch.inference_mode():
            return run(x).argmax(1).tolist()

    step = train if args.work == "train" else predict
    model.train(args.work == "train")
    for _ in range(4):
        step()
    start = time.perf_counter()
    for _ in range(args.steps):
        step()
    return args.steps * args.batch_size / (time.perf_counter() - start)


def fastai_rate(args):
    from fastai_ladder import train_rung

    rung = ("one-cycle", True, True, "one-cycle", args.batch_size, 1)
    return train_rung(args.folder, rung, 42, args.threads)["images_per_second"]


def orrery(args):
    return bench(args.orrery, "--work", args.work, "--model", args.model, "--size", args.size, "-b", args.batch_size,
                 "--threads", args.threads, "--steps", args.steps, *([args.folder] if args.folder else []))


def markdown(result):
    m = statistics.median
    ours, peers = result["orrery"], result["peers"]
    works = list(ours[0])
    lines = [f"# {result['model']}, {result['work']}, batch {result['batch_size']}, {result['size']} px, images a second, in turns", "",
             f"{result['date']}, {result['machine']['cpu']}, {result['threads']} threads, torch {result['torch']}, {result['rounds']} rounds; "
             "medians, and the medians of the rounds' ratios (least-greatest).", "", f"Command: `{result['command']}`.", "",
             "| | images/s | " + " | ".join(f"Orrery {w} to it" for w in works) + " |", "|---|---" + "|---" * len(works) + "|"]
    for w in works:
        cells = []
        for other in works:
            r = [o[other] / o[w] for o in ours]
            cells.append("" if w == other else f"{m(r):.2f}")
        lines.append(f"| Orrery {w} | {m([o[w] for o in ours]):.0f} | " + " | ".join(cells) + " |")
    for name, rates in peers.items():
        cells = []
        for w in works:
            r = [o[w] / p for o, p in zip(ours, rates)]
            cells.append(f"{m(r):.2f} ({min(r):.2f}-{max(r):.2f})")
        lines.append(f"| {name} | {m(rates):.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--model", default="cnn8")
    parser.add_argument("--work", default="train", choices=["train", "predict"])
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("-b", "--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", choices=TORCH + ["fastai"], help="default: PyTorch's four, and fastai with FOLDER")
    parser.add_argument("--orrery", default=ROOT / "bin" / "orrery")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"))
    parser.add_argument("--out", help="path of the results, without ending")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(fastai_rate(args) if args.one == "fastai" else torch_rate(args.one, args))
        return
    import torch

    names = args.peers or TORCH + (["fastai"] if args.folder and args.work == "train" and args.model == "cnn8" else [])
    ours, peers = [], {name: [] for name in names}
    mine = ["--model", args.model, "--work", args.work, "--size", args.size, "-b", args.batch_size, "--threads", args.threads, "--steps", args.steps]
    for _ in range(args.rounds):
        ours.append(orrery(args))
        for name in names:
            command = [sys.executable, __file__, *([args.folder] if args.folder else []), *mine, "--one", name]
            peers[name].append(float(run(command).split()[-1]))
        print(ours[-1], {k: v[-1] for k, v in peers.items()}, file=sys.stderr, flush=True)
    shown = [pathlib.Path(args.folder).name] if args.folder else []
    result = dict(date=args.date, machine=machine(), torch=torch.__version__, model=args.model, work=args.work, size=args.size,
                  batch_size=args.batch_size, threads=args.threads, rounds=args.rounds, orrery=ours, peers=peers,
                  command=" ".join(map(str, ["scripts/peers/step_peers.py", *shown, *mine, "--rounds", args.rounds])))
    write(args.out, result, markdown(result))


if __name__ == "__main__":
    main()
