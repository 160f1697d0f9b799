#!/usr/bin/env python3
"""orrery serve beside a FastAPI server with PyTorch: the same network, the same photos, in turns.

    python scripts/peers/serve_bench.py RUN PHOTOS [--seconds 10] [--overload 60] [--json FILE]

RUN is a run of cnn8 that `orrery train PHOTOS` made and `orrery export RUN --format torchscript` exported. The peer is
what one writes first: uvicorn, one picture a request, decoded with Pillow, preprocessed with torchvision, one forward.
Run it through scripts/setup/env.sh with the peers' Python, after make build; it builds the load generator, serve/load.

For each server: requests/s at 16 clients, then latencies at 70 % of that. For ours, too: twice its capacity, offered
for --overload seconds, with its memory each second.
"""
import argparse, json, os, pathlib, random, signal, subprocess, sys, tempfile, threading, time, urllib.request

PEER = '''
import io, json, pathlib, sys
import torch, torchvision.transforms.v2 as T
from fastapi import FastAPI, Request
from PIL import Image
run = pathlib.Path(sys.argv[1])
extra = {"orrery.json": ""}
model = torch.jit.load(run / "export" / "model.pt", _extra_files=extra).eval()
about = json.loads(extra["orrery.json"])
size = about["input"]["shape"][-1]
prepare = T.Compose([T.Resize(460), T.CenterCrop(460), T.Resize(size), T.ToImage(), T.ToDtype(torch.float32, scale=True)])
app = FastAPI()

@app.post("/predict")
async def predict(request: Request):
    picture = Image.open(io.BytesIO(await request.body())).convert("RGB")
    with torch.inference_mode():
        p = model(prepare(picture)[None]).softmax(1)[0]
    best = int(p.argmax())
    return {"class": about["classes"][best], "probability": float(p[best])}

import uvicorn
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
'''


def wait_for(url):
    for _ in range(600):
        try:
            return urllib.request.urlopen(url, timeout=1).read()
        except urllib.error.HTTPError:
            return None
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} does not answer")


def rss(pid):
    """Resident memory in MB."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


class Server:
    def __init__(self, command, port):
        self.port, self.process = port, subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(f"http://127.0.0.1:{port}/openapi.json")

    def load(self, pictures, seconds, **flags):
        command = [LOAD, "-url", f"http://127.0.0.1:{self.port}/predict", "-seconds", str(seconds)]
        for name, value in flags.items():
            command += [f"-{name}", str(value)]
        return json.loads(subprocess.run(command + pictures, check=True, stdout=subprocess.PIPE).stdout)

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.monotonic() - began


def measure(server, pictures, seconds):
    server.load(pictures, 2, clients=4)  # warm
    most = server.load(pictures, seconds, clients=16)
    calm = server.load(pictures, seconds, rate=0.7 * most["requests_per_second"])
    return {"most": most, "at_70_percent": calm, "p99_over_p50": calm["p99_ms"] / calm["p50_ms"]}


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("run"), p.add_argument("photos")
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--overload", type=float, default=60)
    p.add_argument("--turns", type=int, default=2)
    p.add_argument("--json")
    a = p.parse_args()
    root = pathlib.Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as work:
        LOAD = f"{work}/load"
        subprocess.run(["go", "build", "-buildvcs=false", "-o", LOAD, "./serve/load"], cwd=root, check=True)
        peer = pathlib.Path(work, "peer.py")
        peer.write_text(PEER)
        photos = sorted(str(f) for f in pathlib.Path(a.photos).rglob("*.jpg"))
        pictures = random.Random(1).sample(photos, 200)
        ours = [str(root / "bin/orrery"), "serve", a.run, "--listen", "127.0.0.1:8431"]
        theirs = [sys.executable, str(peer), a.run, "8432"]
        out = {"machine": os.uname().release, "cores": os.cpu_count(), "turns": []}
        for _ in range(a.turns):
            turn = {}
            for name, command, port in (("orrery", ours, 8431), ("fastapi", theirs, 8432)):
                server = Server(command, port)
                turn[name] = measure(server, pictures, a.seconds)
                server.stop()
            turn["ratio"] = turn["orrery"]["most"]["requests_per_second"] / turn["fastapi"]["most"]["requests_per_second"]
            out["turns"].append(turn)
            print(json.dumps(turn), flush=True)
        if a.overload:
            server = Server(ours, 8431)
            most = server.load(pictures, 5, clients=16)["requests_per_second"]
            server.load(pictures, 5, rate=2 * most)
            memory, over = [], {}
            flood = threading.Thread(target=lambda: over.update(server.load(pictures, a.overload, rate=2 * most)))
            flood.start()
            while flood.is_alive():
                time.sleep(1)
                memory.append(round(rss(server.process.pid)))
            over |= {"offered_per_second": 2 * most, "rss_mb_each_second": memory}
            over["stop_seconds"] = server.stop()
            out["overload"] = over
            print(json.dumps(over), flush=True)
        if a.json:
            pathlib.Path(a.json).write_text(json.dumps(out, indent=1) + "\n")
