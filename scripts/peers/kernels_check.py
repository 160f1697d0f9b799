"""Checks gotorch's own kernels against torch in float64, and against themselves.

  python kernels_check.py LIBRARY [--random 500] [--seed 0] [--orrery bin/orrery]

Every case compares values, all gradients and running statistics of a chain with the same torch modules
in float64; the tolerance is relative to the norm of the reference. Exits with 1 if a case fails.
"""
import argparse
import copy
import json
import random
import re
import subprocess
import sys

import torch
import torch.nn as nn

import kernels_ops as ko

TOLERANCE = 1e-5


def error(a, b, scale=0.0):
    """Error of a in the norm, relative to the larger of b's norm and scale."""
    a, b = a.double(), b.double()
    return ((a - b).norm() / max(b.norm().item(), scale, 1e-6 * b.numel() ** 0.5)).item()


def stage_scale(name, want):
    """A tenth of the norm of the whole gradient of a parameter's stage: the gradient of a bias or of a
    BatchNorm is a sum that may cancel to all but nothing (in front of a BatchNorm it does)."""
    if not name.startswith("d") or "." not in name:
        return 0.0
    stage = name.split(".")[0] + "."
    return 0.1 * sum(t.norm().item() ** 2 for n, t in want.items()
                     if n.startswith(stage) and t is not None) ** 0.5


def to_double(stages):
    return [(copy.deepcopy(c).double(), copy.deepcopy(n).double() if n is not None else None, o)
            for c, n, o in stages]


def tensors_of(stages):
    for i, (c, n, _) in enumerate(stages):
        for name, m in (("conv", c), ("norm", n)):
            if m is not None:
                for p, t in m.named_parameters():
                    yield f"{i}.{name}.{p}", t


def buffers_of(stages):
    for i, (_, n, _) in enumerate(stages):
        if n is not None and n.running_mean is not None:
            yield f"{i}.running_mean", n.running_mean
            yield f"{i}.running_var", n.running_var


def away_from_kinks(x, stages, residual, margin=1e-4):
    """Whether no ReLU input of the float64 reference lies so near zero that float32 may flip it."""
    inputs = []

    def relu(t, orig=torch.relu):
        inputs.append((t, t))
        return orig(t)

    def relu6(t, orig=nn.functional.relu6):
        inputs.extend([(t, t), (t - 6, t)])
        return orig(t)

    saved, torch.relu, nn.functional.relu6 = (torch.relu, nn.functional.relu6), relu, relu6
    try:
        with torch.no_grad():
            ko.reference(x, to_double(stages), residual)
    finally:
        torch.relu, nn.functional.relu6 = saved
    return all((t.abs() > margin * of.abs().max()).all() for t, of in inputs)


def run(function, x, stages, residual, grad):
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_(grad and x.requires_grad)
    r = None if residual is None else residual.detach().clone().requires_grad_(grad)
    for _, t in tensors_of(stages):
        t.grad = None
    y = function(x, stages, r)
    if grad and y.requires_grad:
        g = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).sin().reshape(y.shape).to(y.dtype)
        y.backward(g + 0.25)
    return {"y": y.detach(), "dx": x.grad, "dresidual": r.grad if r is not None else None,
            **{"d" + n: t.grad for n, t in tensors_of(stages)}, **dict(buffers_of(stages))}


def compare(x, stages, residual=None, grad=True):
    """Largest relative error over everything the chain computes, and its name.

    What float32 cannot know better counts as the tolerance where torch's own float32 is at least a quarter
    as far off.
    """
    double, single = to_double(stages), copy.deepcopy(stages)
    want = run(ko.reference, x.detach().double().requires_grad_(x.requires_grad), double,
               None if residual is None else residual.double(), grad)
    got = run(ko.conv_chain, x, stages, residual, grad)
    peer, worst = None, (0.0, "")
    for name, w in want.items():
        g = got[name]
        if (w is None) != (g is None):
            return float("inf"), f"{name} present in one only"
        if w is None:
            continue
        if g.shape != w.shape or not torch.isfinite(g).all():
            return float("inf"), f"{name} not finite or of another shape"
        scale = stage_scale(name, want)
        e = error(g, w, scale)
        if e > TOLERANCE:
            peer = peer or run(ko.reference, x, single, residual, grad)
            theirs = error(peer[name], w, scale)
            if e <= 4 * theirs:
                e = TOLERANCE
            else:
                name += f" (torch float32 {theirs:.1e})"
        worst = max(worst, (e, name))
    return worst


def random_case(rng):
    """A chain of one to three stages of odd shapes, an input in one of three layouts."""
    n, c = rng.choice([1, 2, 3, 4, 5, 8, 17]), rng.choice([1, 2, 3, 4, 5, 7, 8, 13, 16, 24, 33, 48, 64])
    h, w = rng.randint(1, 40), rng.randint(1, 40)
    stages, residual = [], None
    channels, height, width = c, h, w
    for _ in range(rng.choice([1, 1, 2, 3])):
        r, s = rng.randint(1, 7), rng.randint(1, 7)
        p, q = rng.randint(0, r), rng.randint(0, s)
        a, b = rng.randint(1, 4), rng.randint(1, 4)
        oh, ow = (height + 2 * p - r) // a + 1, (width + 2 * q - s) // b + 1
        if height + 2 * p < r or width + 2 * q < s:
            continue
        k = rng.choice([1, 2, 3, 4, 6, 8, 9, 16, 17, 31, 32, 40, 64, 70])
        order = rng.choice(list(ko.ORDERS))
        groups, p_end, q_end = 1, p, q
        if rng.random() < .2:
            k = groups = channels
        if rng.random() < .2:
            p_end, q_end = rng.randint(p, r), rng.randint(q, s)
            oh, ow = (height + p + p_end - r) // a + 1, (width + q + q_end - s) // b + 1
        norm = None
        if "norm" in order:
            # Few values make the variance ill-conditioned in any arithmetic.
            if n * oh * ow < 8:
                order = order[:-5] if order.startswith("conv-relu") else "conv"
            else:
                norm = nn.BatchNorm2d(k, affine=rng.random() < .9, momentum=rng.choice([.1, .3]),
                                      track_running_stats=rng.random() < .9)
                if norm.affine:
                    nn.init.uniform_(norm.weight, -1.5, 1.5)
                    nn.init.uniform_(norm.bias, -1, 1)
                if norm.running_mean is not None:
                    nn.init.uniform_(norm.running_mean, -1, 1)
                    nn.init.uniform_(norm.running_var, .5, 2)
                norm.train(rng.random() < .8)
        conv = nn.Conv2d(channels, k, (r, s), (a, b), (p, q), groups=groups, bias=rng.random() < .7)
        conv.padding_end = (p_end, q_end)
        for t in conv.parameters():
            t.requires_grad_(rng.random() < .9)
        stages.append((conv, norm, order))
        channels, height, width = k, oh, ow
    if not stages:
        return None
    x = torch.randn(n, c, h, w) + rng.choice([0, 0, 3])
    layout = rng.choice(["nchw", "nhwc", "strided"])
    if layout == "nhwc":
        x = x.contiguous(memory_format=torch.channels_last)
        for conv, _, _ in stages:
            if rng.random() < .5:
                conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    elif layout == "strided":
        x = torch.randn(n, c, w, h + 3).transpose(2, 3)[:, :, 2:h + 2]
    x.requires_grad_(rng.random() < .7)
    if rng.random() < .3:
        residual = torch.randn(n, channels, height, width)
    return x, stages, residual


def check_random(count, seed):
    rng, failed, worst, done, tries = random.Random(seed), 0, (0.0, ""), 0, 0
    torch.manual_seed(seed)
    while done < count:
        tries += 1
        case = random_case(rng)
        if case is None:
            continue
        x, stages, residual = case
        if not away_from_kinks(x.detach().double(), stages,
                               None if residual is None else residual.double(), 2e-6):
            continue
        done += 1
        grad = rng.random() < .85
        with torch.set_grad_enabled(grad):
            e = compare(x, stages, residual, grad)
        worst = max(worst, e)
        # Sums that cancel amplify what earlier stages of a chain rounded.
        if not e[0] <= TOLERANCE * (1 if len(stages) == 1 else 5):
            failed += 1
            print(f"FAIL random {done}: {e[1]} off by {e[0]:.1e}: x {tuple(x.shape)} {x.stride()} " +
                  "; ".join(f"{o} {c} {n}" for c, n, o in stages) +
                  f" residual {residual is not None} grad {grad}")
    print(f"random: {done} chains, worst {worst[0]:.1e} ({worst[1]}), {tries - done} near a kink or "
          f"empty skipped, {failed} failed")
    return failed


def report(name, e, tolerance=TOLERANCE):
    ok = e[0] <= tolerance
    print(f"{'ok  ' if ok else 'FAIL'} {name}: worst {e[0]:.1e} ({e[1]})")
    return 0 if ok else 1


def layer_input(n, c, size, offset=0.0):
    x = torch.randn(n, c, size, size) + offset
    return x.contiguous(memory_format=torch.channels_last)


def check_layers(batch):
    """Every layer of cnn8 at 200 px and of ResNet-18 at 128 px: convolution alone, where no kink blurs
    the comparison, so that the error is that of the arithmetic."""
    failed, size = 0, 200
    for conv, _, _ in ko.stages_of(ko.cnn8()):
        x = layer_input(batch, conv.in_channels, size).requires_grad_(True)
        failed += report(f"cnn8 {conv.in_channels}->{conv.out_channels} {size} px batch {batch}",
                         compare(x, [(conv, None, "conv")]))
        size = (size + 2 * conv.padding[0] - conv.kernel_size[0]) // 2 + 1
    for c, k, r, s, size in [(3, 64, 7, 2, 128), (64, 64, 3, 1, 32), (64, 128, 3, 2, 32),
                             (64, 128, 1, 2, 32), (128, 128, 3, 1, 16), (128, 256, 3, 2, 16),
                             (256, 256, 3, 1, 8), (256, 512, 3, 2, 8), (512, 512, 3, 1, 4)]:
        conv = nn.Conv2d(c, k, r, s, r // 2, bias=False)
        norm = nn.BatchNorm2d(k)
        x = layer_input(8, c, size).requires_grad_(True)
        failed += report(f"ResNet-18 {c}->{k} {r}x{r}/{s} {size} px", compare(x, [(conv, norm, "conv-norm")]))
    return failed


def convolutions(orrery):
    """Every shape of convolution of the networks that the binary has, at their sizes: of each the input's channels and
    rows, the output's channels and rows, kernel, stride, zeros in front, and whether it is depthwise."""
    def models(*arguments):
        return json.loads(subprocess.run([orrery, "models", *arguments, "--json"], check=True, capture_output=True).stdout)

    shapes = {}
    for model in models("list"):
        for layer in models("show", model["name"])["layers"]:
            if layer["layer"] != "Conv2d":
                continue
            size, pad, kernel, stride, rows = (int(n) for n in re.fullmatch(
                r"floor\(\((\d+) \+ 2\*(\d+) - 1\*\((\d+)-1\) - 1\)/(\d+)\) \+ 1 = (\d+)", layer["formula"]).groups())
            k, rows = layer["output_shape"][1], layer["output_shape"][2]
            per_group = layer["macs"] // (k * rows * rows * kernel * kernel)
            shapes.setdefault((per_group if per_group > 1 else k, size, k, rows, kernel, stride, pad, per_group == 1), model["name"])
    return shapes


def check_models(orrery):
    """Values and gradients of every shape that convolutions() finds, with a BatchNorm after it."""
    failed = 0
    for (c, size, k, rows, kernel, stride, pad, depthwise), name in convolutions(orrery).items():
        conv = nn.Conv2d(c, k, kernel, stride, pad, groups=c if depthwise else 1, bias=False)
        conv.padding_end = ((rows - 1) * stride + kernel - size - pad,) * 2  # TensorFlow's padding has more behind
        if conv.padding_end[0] <= pad:
            del conv.padding_end
        x = layer_input(2, c, size).requires_grad_(True)
        failed += report(f"{name} {c}->{k} {kernel}x{kernel}/{stride} {size} px{' depthwise' if depthwise else ''}",
                         compare(x, [(conv, nn.BatchNorm2d(k), "conv-norm")]))
    return failed


def check_gradcheck():
    """torch's differences against the gradients of the reference form in float64, of every order of a stage."""
    failed = 0
    for order in ko.ORDERS:
        stages = [(nn.Conv2d(2, 3, 3, 2, 1), nn.BatchNorm2d(3) if "norm" in order else None, order), (nn.Conv2d(3, 2, 2), None, "conv")]
        stages = to_double(stages)
        for _, t in tensors_of(stages):
            nn.init.normal_(t)
        x, residual = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True), torch.randn(2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
        # gradcheck moves these in place, and the stages see it.
        inputs = [x, residual, *(t for _, t in tensors_of(stages))]
        ok = torch.autograd.gradcheck(lambda *_: ko.conv_chain(x, stages, residual), inputs, raise_exception=False)
        print(f"{'ok  ' if ok else 'FAIL'} gradcheck {order}")
        failed += not ok
    return failed


# EfficientNet-Lite0's and MobileNetV3's depthwise shapes: channels, kernel, stride, size at 128 px.
DEPTHWISE = [(32, 3, 1, 64), (96, 3, 2, 64), (144, 3, 1, 32), (144, 5, 2, 32), (240, 5, 1, 16), (240, 3, 2, 16),
             (480, 3, 1, 8), (480, 5, 1, 8), (672, 5, 2, 8), (1152, 5, 1, 4), (1152, 3, 1, 4), (72, 5, 2, 28), (96, 7, 1, 32)]


def check_depthwise():
    failed = 0
    for c, r, s, size in DEPTHWISE:
        conv, norm = nn.Conv2d(c, c, r, s, r // 2, groups=c, bias=False), nn.BatchNorm2d(c)
        if s == 2:  # TensorFlow's padding of even sizes
            conv.padding, conv.padding_end = (r // 2 - 1,) * 2, (r // 2,) * 2
        x = layer_input(4, c, size).requires_grad_(True)
        failed += report(f"depthwise {c} {r}x{r}/{s} {size} px", compare(x, [(conv, norm, "conv-norm")]))
    return failed


def check_large_mean():
    failed = 0
    for mean in (10, 100, 1000):
        for order in ("conv-relu-norm", "conv-norm"):
            conv, norm = nn.Conv2d(3, 16, 3, 1, 0), nn.BatchNorm2d(16)
            nn.init.uniform_(conv.weight, 0.01, 0.3)
            x = layer_input(8, 3, 20, mean)
            double = to_double([(conv, norm, order)])
            want = run(ko.reference, x.double(), double, None, True)
            got = run(ko.conv_chain, x, [(conv, norm, order)], None, True)
            torch_ = run(ko.reference, x, [(copy.deepcopy(conv), nn.BatchNorm2d(16), order)], None, True)
            ours, theirs = error(got["y"], want["y"]), error(torch_["y"], want["y"])
            # A convolution's results near the mean are known to 6e-8 of it: no float32 code can do 1e-5.
            failed += report(f"mean {mean} {order} y (torch float32: {theirs:.1e})", (ours, "y"),
                             max(TOLERANCE, theirs))
            failed += report(f"mean {mean} {order} variance", (
                error(got["0.running_var"], want["0.running_var"]), "running_var"), max(TOLERANCE, 1e-7 * mean))
    return failed


def check_rerun():
    """Bit-equal reruns for each number of threads; forward sums do not depend on the number at all."""
    failed, before = 0, torch.get_num_threads()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        stages = ko.stages_of(ko.cnn8())
        x = torch.rand(8, 3, 200, 200)
        runs = [run(ko.conv_chain, x, copy.deepcopy(stages), None, True) for _ in range(3)]
        same = all(torch.equal(r[n], runs[0][n]) for r in runs[1:] for n in r if r[n] is not None)
        print(f"{'ok  ' if same else 'FAIL'} three runs on {threads} threads are bit-equal")
        failed += not same
    torch.set_num_threads(before)
    return failed


def check_odd_values():
    """NaN and infinity travel as in torch; an input modified in place before backward is refused."""
    failed = 0
    conv, norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8).eval()
    x = torch.randn(2, 3, 9, 9)
    x[0, 0, 4, 4] = float("nan")
    x[1, 1, 2, 2] = float("inf")
    for order in ko.ORDERS:
        with torch.no_grad():
            s = [(conv, norm if "norm" in order else None, order)]
            same = torch.equal(ko.conv_chain(x, s).isnan(), ko.reference(x, s).isnan())
        print(f"{'ok  ' if same else 'FAIL'} NaN in the same places: {order}")
        failed += not same
    x = torch.randn(2, 3, 9, 9)
    y = ko.conv_chain(x, [(conv, norm, "conv-relu-norm")])
    x.add_(1)
    try:
        y.sum().backward()
        print("FAIL in-place change of a saved input was not noticed")
        failed += 1
    except RuntimeError as e:
        print("ok   in-place change is refused:", str(e).split(":")[0][:60])
    return failed


def check_kept_weights():
    """Packed weights are kept between calls without gradients, and made anew once a weight changes."""
    failed = 0
    for conv in (nn.Conv2d(16, 24, 3, 1, 1), nn.Conv2d(8, 16, 3, 2, 1)):
        stages, x = [(conv, None, "conv")], torch.randn(4, conv.in_channels, 20, 20)
        changes = {"nothing": lambda: None, "an optimizer's step": lambda: conv.weight.sub_(0.1),
                   "another tensor": lambda: setattr(conv, "weight", nn.Parameter(conv.weight * 2)),
                   "data": lambda: setattr(conv.weight, "data", conv.weight.data * 0.5),
                   "training": lambda: conv.weight.mul_(1.5)}
        for name, change in changes.items():
            with torch.no_grad():
                ko.conv_chain(x, stages)
                change()
                e = max(error(ko.conv_chain(x, stages), ko.reference(x, stages)) for _ in range(2))
            ok = e < TOLERANCE
            print(f"{'ok  ' if ok else 'FAIL'} kept weights after {name}: {e:.1e}")
            failed += not ok
    return failed


def check_training(steps):
    """cnn8 trained from the same weights by torch in double precision and by own kernels: the losses track each other.

    Rounding grows from step to step: torch's own single precision strays as far, which is shown beside.
    """
    torch.manual_seed(0)
    single = ko.cnn8()
    own, double, nhwc = copy.deepcopy(single), copy.deepcopy(single).double(), copy.deepcopy(single).to(memory_format=torch.channels_last)
    stages = ko.stages_of(own)
    ways = {
        "torch in double": (double, lambda t: double(t.double())),
        "own": (own, lambda t: ko.conv_chain(t, stages)),
        "torch": (single, single),
        "torch channels-last": (nhwc, lambda t: nhwc(t.contiguous(memory_format=torch.channels_last))),
    }
    optimizers = {name: torch.optim.Adam(model.parameters(), 1e-3) for name, (model, _) in ways.items()}
    x, labels = torch.rand(64, 3, 64, 64), torch.randint(0, 4, (64,))
    x += labels.view(-1, 1, 1, 1) * 0.1
    losses = {name: [] for name in ways}
    for i in range(steps):
        rows = torch.arange(i * 16, i * 16 + 16) % 64
        for name, (_, forward) in ways.items():
            optimizers[name].zero_grad()
            loss = nn.functional.cross_entropy(forward(x[rows]).flatten(1), labels[rows])
            loss.backward()
            optimizers[name].step()
            losses[name].append(loss.item())

    def apart(one, other):
        return max(abs(a - b) for a, b in zip(losses[one], losses[other]))

    worst = apart("own", "torch in double")
    others = ", ".join(f"{name} {apart(name, 'torch in double'):.1e}" for name in ("torch", "torch channels-last"))
    print(f"{'ok  ' if worst < 1e-3 else 'FAIL'} {steps} Adam steps: losses within {worst:.1e} of torch's in double ({others}), "
          f"{apart('own', 'torch'):.1e} of torch's")
    return int(not worst < 1e-3)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("library")
    p.add_argument("--random", type=int, default=200)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--batch", type=int, default=8, help="batch of the cnn8 layers")
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--orrery", default="bin/orrery", help="the binary whose networks are looked at")
    p.add_argument("--only", default="", help="some of random, layers, models, depthwise, gradcheck, mean, rerun, odd, kept, training")
    a = p.parse_args()
    ops = ko.load(a.library)
    ops.set_mode(ko.MODES["own"])
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    print("torch", torch.__version__, "kernels", ops.instruction_set())
    checks = {"random": lambda: check_random(a.random, a.seed), "layers": lambda: check_layers(a.batch),
              "models": lambda: check_models(a.orrery), "depthwise": check_depthwise, "gradcheck": check_gradcheck,
              "mean": check_large_mean, "rerun": check_rerun, "odd": check_odd_values, "kept": check_kept_weights,
              "training": lambda: check_training(a.steps)}
    failed = sum(f() for name, f in checks.items() if not a.only or name in a.only.split(","))
    print("failed" if failed else "all passed", failed or "")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
