#!/usr/bin/env python3
"""gotorch's examples against the same programs in Python, in turns in one run: each Go, then Python, ROUNDS times.

Every program prints its own speed in its last lines, "N pictures a second", without its start. The ratio is Go's speed
to Python's of the same round. A run is made again when other processes took more than 2 % of the cores meanwhile
(Linux tells); the result says how often that was. Writes OUT.json and OUT.md; run it on an otherwise idle machine, in a
shell where the native library is found (through scripts/setup/env.sh), with the peers' Python:

    python scripts/peers/gotorch_examples.py --rounds 3 --date 2026-11-26 --out bench/results/2026-11-26-gotorch-examples
"""
import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from in_turns import ROOT, machine, write
GOTORCH = ROOT / "gotorch"
DATA = "/usr/share/datasets/fashion-mnist"
# What each example is called with: Go's arguments, Python's arguments.
EXAMPLES = {
    "mnist": (["-epochs", "1"], [DATA, "1"]),
    "dcgan": (["-steps", "100", "-out", os.devnull], [DATA, "100"]),
    "resnet": (["-depth", "18", "-batch-size", "8", "-size", "128", "-steps", "10"], ["18", "8", "128", "10"]),
}


disturbed = 0


def others():
    """Seconds of processor time since the machine started, without those of our children that have ended."""
    user, nice, system, _, _, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - mine.ru_utime - mine.ru_stime


def speed(command):
    global disturbed
    for _ in range(5):
        before, start = others(), time.monotonic()
        done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True, cwd=GOTORCH)
        if others() - before < 0.02 * os.cpu_count() * (time.monotonic() - start):
            return float(re.findall(r"([\d.]+) pictures a second", done.stdout)[-1])
        disturbed += 1
    sys.exit(f"other processes disturbed five runs of {command[0]}: measure on an idle machine")


def markdown(result):
    lines = [
        f"# {result['title']}", "",
        f"{result['date']}, {result['machine']['cpu']}, {result['machine']['cores']} cores; torch {result['torch']} on both sides.", "",
        f"Command: `{result['command']}`. Runs made again because other processes took part of the machine: {result['disturbed']}.", "",
        "| example | Go, pictures/s | Python, pictures/s | Go to Python (min-max) |", "|---|---|---|---|"]
    for name, r in result["examples"].items():
        lines.append(f"| {name} | {statistics.median(r['go']):.0f} | {statistics.median(r['python']):.0f} | "
                     f"{r['ratio']:.2f} ({min(r['ratios']):.2f}-{max(r['ratios']):.2f}) |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(EXAMPLES))
    parser.add_argument("--out", required=True, help="path of the results, without ending")
    parser.add_argument("--date", required=True)
    args = parser.parse_args()
    import torch
    examples = {}
    with tempfile.TemporaryDirectory() as programs:
        for name in args.only:
            subprocess.run(["go", "build", "-buildvcs=false", "-o", programs, f"./examples/{name}"], check=True, cwd=GOTORCH)
        for name in args.only:
            go, python = [], []
            for _ in range(args.rounds):
                go.append(speed([pathlib.Path(programs) / name, *EXAMPLES[name][0]]))
                python.append(speed([sys.executable, f"examples/{name}/{name}.py", *EXAMPLES[name][1]]))
                print(name, go[-1], python[-1], file=sys.stderr, flush=True)
            ratios = [a / b for a, b in zip(go, python)]
            examples[name] = dict(go=go, python=python, ratios=ratios, ratio=statistics.median(ratios))
    result = dict(title="gotorch's examples and the same programs in Python, in turns", date=args.date, machine=machine(),
                  torch=torch.__version__, examples=examples, disturbed=disturbed,
                  command=f"scripts/peers/gotorch_examples.py --rounds {args.rounds} --only {' '.join(args.only)}")
    write(args.out, result, markdown(result))


main()
