#!/usr/bin/env python3
"""Accuracy with --pixels fast beside exact, over several seeds: whether fast may be called equivalent.

    python scripts/peers/fast_equals_exact.py FOLDER [--seeds 5] [--train "--epochs 5 -b 128"]

What --train names goes to `orrery train` as it is. Prints one JSON object: the accuracies of both, their means, and
the difference of the means with its standard error over the seeds' pairs.
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
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--orrery", default="bin/orrery")
    parser.add_argument("--train", default="", help="flags of `orrery train`, as one argument")
    args = parser.parse_args()
    accuracy = {"exact": [], "fast": []}
    with tempfile.TemporaryDirectory() as runs:
        for seed in range(42, 42 + args.seeds):
            for pixels, found in accuracy.items():
                command = [args.orrery, "train", args.folder, "--pixels", pixels, "--seed", str(seed), "--split-seed", "42",
                           "-o", f"{runs}/{pixels}-{seed}", "--json", *shlex.split(args.train)]
                found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["accuracy"])
    differences = [f - e for e, f in zip(accuracy["exact"], accuracy["fast"])]
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else None
    print(json.dumps({"accuracies": accuracy, "means": {k: statistics.mean(v) for k, v in accuracy.items()},
                      "fast_minus_exact": statistics.mean(differences), "standard_error": error}, indent=1))


if __name__ == "__main__":
    main()
