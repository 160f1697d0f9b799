"""What gotorch_ops.py and gotorch_layers.py share: making and saving golden cases.

Each case names an operation of gotorch/native/ops.def, its arguments in the order of Go's signature
and PyTorch's own function over the same arguments. The file holds the tensors as <case>.in<i> and
<case>.out<i>, and in its metadata the cases as JSON and the versions. Where the inputs hold floats, the
function is also computed on the inputs as float64, bfloat16 and float16, as far as PyTorch has it:
<case>.double<i>, <case>.bfloat16<i>, <case>.half<i>. The Go tests call the operation of that name by
reflection, compare the results, and check the gradients of the cases marked grad, which are those that
PyTorch differentiates, against finite differences.
"""
import json
import os
import sys

import safetensors
import torch
from safetensors.torch import save_file

DTYPES = {torch.uint8: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3, torch.int64: 4,
          torch.float16: 5, torch.float32: 6, torch.float64: 7, torch.bool: 11, torch.bfloat16: 15}
OTHERS = {"double": torch.float64, "bfloat16": torch.bfloat16, "half": torch.float16}
gen = torch.Generator().manual_seed(20261124)
tensors, cases = {}, []


def normal(*shape):
    return torch.randn(*shape, generator=gen)


def positive(*shape):
    return torch.rand(*shape, generator=gen) * 2 + 0.3


def unit(*shape):
    return torch.rand(*shape, generator=gen) * 0.8 + 0.1


def apart(*shape):
    """Values with distance from each other and from the whole numbers, where some gradients jump."""
    n = 1
    for s in shape:
        n *= s
    v = (torch.arange(n, dtype=torch.float32) - n / 2) * 0.37 + 0.12
    return v[torch.randperm(n, generator=gen)].reshape(shape)


def ints(high, *shape):
    return torch.randint(high, shape, generator=gen)


def bools(*shape):
    return torch.rand(*shape, generator=gen) > 0.5


def method(name):
    return lambda a, *rest: getattr(a, name)(*rest)


def results(f, args, change):
    """What f returns, as a list, over copies of the arguments that change has changed."""
    def one(a):
        if isinstance(a, torch.Tensor):
            return change(a.clone())
        return [change(t.clone()) for t in a] if is_list(a) else a
    r = f(*[one(a) for a in args])
    return list(r) if isinstance(r, (tuple, list)) or hasattr(r, "_fields") else [r]


def is_list(a):
    return isinstance(a, (list, tuple)) and len(a) > 0 and isinstance(a[0], torch.Tensor)


def case(op, f, *args, kink="", symmetric=False, fixed=(), tolerance=1e-6, seed=None):
    """fixed lists the tensors, counted from 0, that take no gradient; kink says why the gradient of an
    operation that has one cannot be compared with differences here; symmetric tells that the matrix stays
    symmetric in differences; seed is set before each call."""
    name = f"{len(cases):03d}"
    spec = []

    def store(t):
        key = f"{name}.in{sum(k.startswith(name + '.in') for k in tensors)}"
        tensors[key] = t.clone().contiguous()
        return key

    for a in args:
        if a is None:
            spec.append({"none": True})
        elif isinstance(a, torch.Tensor):
            spec.append({"tensor": store(a)})
        elif isinstance(a, torch.dtype):
            spec.append({"dtype": DTYPES[a]})
        elif is_list(a):
            spec.append({"tensors": [store(t) for t in a]})
        elif isinstance(a, bool):
            spec.append({"bool": a})
        elif isinstance(a, (list, tuple)):
            spec.append({"ints": list(a)})
        elif isinstance(a, int):
            spec.append({"int": a})
        elif isinstance(a, float):
            spec.append({"float": a})
        else:
            spec.append({"string": a})

    def run(change):
        if seed is not None:
            torch.manual_seed(seed)
        return results(f, args, change)

    out = run(lambda t: t)
    c = {"name": name, "op": op, "args": spec, "tolerance": tolerance}
    if seed is not None:
        c["seed"] = seed
    if symmetric:
        c["symmetric"] = True
    if isinstance(out[0], bool):
        c["value"] = out[0]
    else:
        c["outs"] = len(out)
        keep(f"{name}.out", out)
        differentiate(c, run, kink, fixed)
        convert(c, run, out)
    cases.append(c)


def keep(prefix, out):
    for i, t in enumerate(out):
        tensors[f"{prefix}{i}"] = t.detach().clone().contiguous()


def differentiate(c, run, kink, fixed):
    """Asks PyTorch whether a result depends differentiably on an input, and whether it knows the derivative."""
    seen = []

    def leaf(t):
        seen.append(t)
        if not t.is_floating_point():
            return t
        return t.double().requires_grad_(len(seen) - 1 not in fixed).clone()

    total = sum(t.double().sum() for t in run(leaf) if t.requires_grad)
    c["grad"] = isinstance(total, torch.Tensor)
    if c["grad"]:
        try:
            total.backward()
        except RuntimeError as e:
            if "is not implemented" not in str(e):
                raise
            c["grad"] = False
    if fixed:
        c["fixed"] = [f"{c['name']}.in{i}" for i in fixed]
    if kink and c["grad"]:
        c["kink"] = kink


def convert(c, run, out):
    """Stores the results in the other floating-point types."""
    inputs = [t for k, t in tensors.items() if k.startswith(c["name"] + ".in")]
    if not any(t.dtype == torch.float32 for t in inputs):
        return
    for word, dtype in OTHERS.items():
        if "seed" in c and word != "double":
            continue  # PyTorch 2.15 draws other numbers of 16 bits than 2.11
        try:
            keep(f"{c['name']}.{word}", run(lambda t: t.to(dtype) if t.dtype == torch.float32 else t))
        except (RuntimeError, NotImplementedError):  # PyTorch has no such kernel on the CPU
            continue
        c.setdefault("others", []).append(word)


def save(script):
    """Writes all cases to the file that the command line names."""
    meta = {"torch": torch.__version__, "safetensors": safetensors.__version__, "generator": "scripts/golden/" + os.path.basename(script)}
    save_file(tensors, sys.argv[1], metadata={"cases": json.dumps(cases, separators=(",", ":")), **meta})
    print(len(cases), "cases,", len({c["op"] for c in cases}), "operations")
