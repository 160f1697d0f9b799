"""Times whole training steps of gotorch's own kernels and of torch in turns, in one process.

  python step_bench.py LIBRARY [--batch 64] [--threads 2] [--rounds 7] [--compile] [--layers] [--json FILE]

Every round runs each contender once; medians, minima and the median of the ratios within a round are
printed, so that a busy machine disturbs all alike. --layers times each layer's passes instead.
"""
import argparse
import copy
import json
import statistics
import time

import torch
import torch.nn as nn

import kernels_ops as ko


def resnet18_stages():
    """ResNet-18 without its classifier, as (own, torch) functions of an input."""
    blocks, c = [], 64
    stem = (nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), "conv-norm-relu")
    for k, stride in [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]:
        body = [(nn.Conv2d(c, k, 3, stride, 1, bias=False), nn.BatchNorm2d(k), "conv-norm-relu"),
                (nn.Conv2d(k, k, 3, 1, 1, bias=False), nn.BatchNorm2d(k), "conv-norm-relu")]
        down = None
        if stride != 1 or c != k:
            down = [(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k), "conv-norm")]
        blocks.append((body, down))
        c = k
    return stem, blocks


class ResNet18(nn.Module):
    def __init__(self, chain, parts):
        super().__init__()
        self.chain, (self.stem, self.blocks) = chain, parts
        self.fc = nn.Linear(512, 4)
        stages = [self.stem] + [s for body, down in self.blocks for s in body + (down or [])]
        self.all = nn.ModuleList([m for c, n, _ in stages for m in (c, n)])

    def forward(self, x):
        x = nn.functional.max_pool2d(self.chain(x, [self.stem]), 3, 2, 1)
        for body, down in self.blocks:
            x = self.chain(x, body, x if down is None else self.chain(x, down))
        return self.fc(x.mean((2, 3)))


def step(model, forward, x, y):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def run():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(forward(x).flatten(1), y)
        loss.backward()
        optimizer.step()
        return loss.item()
    return run


def infer(forward, x):
    def run():
        with torch.no_grad():
            return forward(x).sum().item()
    return run


def contenders(a):
    torch.manual_seed(0)
    x, y = torch.rand(a.batch, 3, a.size, a.size), torch.randint(0, 4, (a.batch,))
    xc = x.contiguous(memory_format=torch.channels_last)
    c = {}
    if a.model == "resnet18":
        parts = resnet18_stages()
        own, nchw = ResNet18(ko.conv_chain, copy.deepcopy(parts)), ResNet18(ko.reference, parts)
        forward = own
    else:
        nchw = ko.cnn8()
        own = copy.deepcopy(nchw)
        stages = ko.stages_of(own)
        forward = lambda t: ko.conv_chain(t, stages)
    nhwc = copy.deepcopy(nchw).to(memory_format=torch.channels_last)
    models = {"own": (own, forward, x if a.input == "nchw" else xc), "eager nchw": (nchw, nchw, x),
              "eager nhwc": (nhwc, nhwc, xc)}
    if a.compile:
        cn, cc = copy.deepcopy(nchw), copy.deepcopy(nhwc)
        models["compile nchw"] = (cn, torch.compile(cn), x)
        models["compile nhwc"] = (cc, torch.compile(cc), xc)
    for name, (m, f, t) in models.items():
        c[name] = infer(f, t) if a.infer else step(m, f, t, y)
        m.train(not a.infer)
    return c


def in_turns(c, rounds, clock):
    times = {k: [] for k in c}
    for k in c:
        c[k](), c[k]()
    for _ in range(rounds):
        for k in c:
            start = clock()
            c[k]()
            times[k].append(clock() - start)
    return times


def layers(a):
    """Per layer of cnn8: forward and backward of conv-ReLU-BatchNorm in milliseconds, own and torch."""
    size, rows = a.size, []
    net = ko.stages_of(ko.cnn8())
    print(f"{'layer':>10} {'forward own/torch/floor':>26} {'backward own/torch/floor':>28}")
    for conv, norm, order in net:
        out = (size + 2 * conv.padding[0] - conv.kernel_size[0]) // 2 + 1
        x = torch.randn(a.batch, conv.in_channels, size, size).contiguous(
            memory_format=torch.channels_last).requires_grad_(conv.in_channels > 3)
        stages = [(conv, norm, order)]
        best = {}
        for name, f in (("own", ko.conv_chain), ("torch", ko.reference)) * a.rounds:
            start = time.perf_counter()
            y = f(x, stages)
            middle = time.perf_counter()
            g = torch.ones_like(y)
            begin = time.perf_counter()
            y.backward(g)
            end = time.perf_counter()
            for k, t in ((name + " f", middle - start), (name + " b", end - begin)):
                best[k] = min(best.get(k, 1e9), t * 1e3)
        flop = 2 * a.batch * out * out * conv.weight.numel()
        floor = flop / a.gflops / 1e6
        back = floor * (2 if conv.in_channels > 3 else 1)
        rows.append({"layer": f"{conv.in_channels}->{conv.out_channels}", "floor_forward": floor,
                     "floor_backward": back, **best})
        print(f"{rows[-1]['layer']:>10} {best['own f']:8.2f}/{best['torch f']:8.2f}/{floor:7.2f} "
              f"{best['own b']:10.2f}/{best['torch b']:8.2f}/{back:7.2f}")
        size = out
    print("sum", " ".join(f"{k} {sum(r[k] for r in rows):.1f}" for k in rows[0] if k != "layer"))
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("library")
    p.add_argument("--model", choices=["cnn8", "resnet18"], default="cnn8")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--size", type=int, default=200)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--mode", choices=list(ko.MODES), default="own")
    p.add_argument("--input", choices=["nchw", "nhwc"], default="nchw", help="layout own kernels get")
    p.add_argument("--infer", action="store_true")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--cpu", action="store_true",
                   help="one thread and its processor time: comparable on a machine others use too")
    p.add_argument("--layers", action="store_true")
    p.add_argument("--gflops", type=float, default=203, help="of all threads, for the floor")
    p.add_argument("--json")
    a = p.parse_args()
    ops = ko.load(a.library)
    ops.set_mode(ko.MODES[a.mode])
    torch.set_num_threads(1 if a.cpu else a.threads)
    print("torch", torch.__version__, "kernels", ops.instruction_set(), vars(a))
    if a.layers:
        result = layers(a)
    else:
        times = in_turns(contenders(a), a.rounds, time.thread_time if a.cpu else time.perf_counter)
        result = {}
        for k, t in times.items():
            ratio = statistics.median(b / o for b, o in zip(t, times["own"]))
            best = min(t) / min(times["own"])
            result[k] = {"median_s": statistics.median(t), "min_s": min(t), "ratio": ratio,
                         "ratio_of_minima": best}
            print(f"{k:>14}: median {a.batch / statistics.median(t):7.1f} img/s, best "
                  f"{a.batch / min(t):7.1f}; own is {ratio:.2f}x as fast, best to best {best:.2f}x")
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"torch": torch.__version__, "arguments": vars(a), "result": result}, f, indent=1)


if __name__ == "__main__":
    main()
