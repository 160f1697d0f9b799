#!/usr/bin/env python3
"""Accuracy with one setting beside another, over several seeds: whether the two may be called equivalent.

    python scripts/peers/same_accuracy.py FOLDER --a "--pixels exact" --b "--pixels fast" [--seeds 5] [--train "--epochs 5 -b 64"]
    python scripts/peers/same_accuracy.py FOLDER --a "--kernels libtorch" --b "--kernels own"

What --a, --b and --train name goes to `orrery train` as it is. Prints one JSON object: the accuracies of both, their means,
and the difference of the means, b - a, with its standard error over the seeds' pairs.
"""
import argparse
import json
import shlex
import statistics
import subprocess
import tempfile


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--a", required=True, help="flags of one side, as one argument")
    parser.add_argument("--b", required=True, help="flags of the other")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=42)
    parser.add_argument("--orrery", default="bin/orrery")
    parser.add_argument("--train", default="", help="flags of both, as one argument")
    args = parser.parse_args()
    sides = {"a": args.a, "b": args.b}
    accuracy = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as runs:
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            for side, flags in sides.items():
                command = [args.orrery, "train", args.folder, *shlex.split(flags), "--seed", str(seed), "--split-seed", "42",
                           "-o", f"{runs}/{side}-{seed}", "--json", *shlex.split(args.train)]
                accuracy[side].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["accuracy"])
    differences = [b - a for a, b in zip(accuracy["a"], accuracy["b"])]
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else None
    print(json.dumps({**sides, "accuracies": accuracy, "means": {k: statistics.mean(v) for k, v in accuracy.items()},
                      "difference": statistics.mean(differences), "standard_error": error}, indent=1))


if __name__ == "__main__":
    main()
