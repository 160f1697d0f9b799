#!/usr/bin/env python3
"""`orrery ladder` against fastai_ladder.py, in turns in one run: seed by seed, one after the other.

Each rung's mean accuracy over the seeds is compared by the standard error of the difference, images per second and the
time from process start to the first step by their ratio. Ours begins every seed with an empty store of decoded pictures.
Writes OUT.json and OUT.md after every seed, and goes on after the seeds that OUT.json has; run it on an otherwise idle
machine.

    python scripts/peers/compare_ladder.py FOLDER --seeds 5 --date 2026-11-26 --out bench/results/2026-11-26-ladder-trashnet
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile

import in_turns
from in_turns import ROOT, machine, write


def run(command):
    print("+", " ".join(map(str, command)), file=sys.stderr, flush=True)
    return json.loads(in_turns.run(command))


def standard_error(values):
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def compare(ours, theirs):
    rows = []
    for i, name in enumerate(r["name"] for r in ours[0]["rungs"]):
        a = [run["rungs"][i]["accuracy"] for run in ours]
        b = [run["rungs"][i]["accuracy"] for run in theirs]
        difference = statistics.mean(a) - statistics.mean(b)
        error = math.hypot(standard_error(a), standard_error(b))
        ratios = [x["rungs"][i]["images_per_second"] / y["rungs"][i]["images_per_second"] for x, y in zip(ours, theirs)]
        rows.append(dict(
            name=name, accuracy=statistics.mean(a), accuracies=a, fastai_accuracy=statistics.mean(b), fastai_accuracies=b,
            difference=difference, standard_error=error, not_below=difference >= -2 * error,
            images_per_second=statistics.median(run["rungs"][i]["images_per_second"] for run in ours),
            fastai_images_per_second=statistics.median(run["rungs"][i]["images_per_second"] for run in theirs),
            ratio=statistics.median(ratios), ratio_min=min(ratios), ratio_max=max(ratios),
        ))
    return rows


def markdown(result):
    lines = [
        f"# {result['title']}", "",
        f"{result['date']}, {result['machine']['cpu']}, {result['machine']['cores']} cores; torch {result['torch']}; seeds {result['seeds']}; Orrery {result['commit'][:12]}.", "",
        f"Command: `{result['command']}`", "",
        "| rung | Orrery accuracy | fastai accuracy | difference | 2 s.e. | Orrery img/s | fastai img/s | ratio (min-max) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in result["rungs"]:
        lines.append(
            f"| {r['name']} | {r['accuracy']:.4f} | {r['fastai_accuracy']:.4f} | {r['difference']:+.4f} | {2 * r['standard_error']:.4f} | "
            f"{r['images_per_second']:.0f} | {r['fastai_images_per_second']:.0f} | {r['ratio']:.2f} ({r['ratio_min']:.2f}-{r['ratio_max']:.2f}) |")
    start = result["first_step"]
    lines += ["", f"From process start to the first step's end, median: Orrery {start['orrery']:.2f} s, fastai {start['fastai']:.2f} s."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=42)
    parser.add_argument("--orrery", default=ROOT / "bin" / "orrery")
    parser.add_argument("--orrery-flags", nargs="*", default=[], help="given to orrery ladder, such as --orrery-flags=--pixels=fast")
    parser.add_argument("--out", required=True, help="path of the results, without ending")
    parser.add_argument("--date", required=True)
    args = parser.parse_args()
    out = pathlib.Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    pairs = json.loads(out.with_suffix(".json").read_text())["pairs"] if out.with_suffix(".json").exists() else []
    for seed in range(args.first_seed + len(pairs), args.first_seed + args.seeds):
        with tempfile.TemporaryDirectory() as runs:
            theirs = run([sys.executable, ROOT / "scripts/peers/fastai_ladder.py", args.folder, "--seeds", seed])
            ours = run([args.orrery, "ladder", args.folder, "--json", "--seed", seed, "--split-seed", 42, "-o", f"{runs}/ladder",
                        "--store", f"{runs}/store", *args.orrery_flags])
            first = min(pathlib.Path(runs, "ladder").glob("*/result.json"), key=lambda p: p.parent.name)
            ours["first_step"] = json.loads(first.read_text())["first_step_seconds"]
        pairs.append(dict(seed=seed, orrery=ours, fastai=theirs))
        write(out, args, pairs)


def write(out, args, pairs):
    ours, theirs = [p["orrery"] for p in pairs], [p["fastai"] for p in pairs]
    name = pathlib.Path(args.folder).name
    result = dict(
        title=f"The ladder on {name}, Orrery and fastai 2.8.12 in turns", date=args.date, machine=machine(),
        torch=theirs[0]["torch"], commit=ours[0]["commit"], seeds=len(pairs),
        command=" ".join(["scripts/peers/compare_ladder.py", name, "--seeds", str(args.seeds), *args.orrery_flags]),
        first_step=dict(orrery=statistics.median(o["first_step"] for o in ours), fastai=statistics.median(t["first_step"] for t in theirs)),
        rungs=compare(ours, theirs), pairs=pairs)
    write(out, result, markdown(result))


if __name__ == "__main__":
    main()
