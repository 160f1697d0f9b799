"""What the comparisons of this folder share: the machine, processes taken in turns, results written."""
import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    return dict(cpu=model, cores=os.cpu_count(), system=platform.platform(terse=True))


def run(command):
    """What the command prints; an error if it fails."""
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True).stdout


def bench(orrery, *arguments):
    """Images a second of `orrery bench` with the arguments, by "input pixels"."""
    rows = json.loads(run([ROOT / "scripts/setup/env.sh", orrery, "bench", "--json", *arguments]))["rows"]
    return {f"{r['input']} {r['pixels']}": r["images_per_second"] for r in rows}


def write(out, result, text):
    """Prints the text; with out, a path without ending, the result goes to out.json and the text to out.md."""
    if out:
        pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(out).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        pathlib.Path(out).with_suffix(".md").write_text(text)
    print(text, flush=True)
