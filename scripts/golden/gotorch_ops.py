#!/usr/bin/env python3
"""Golden results of gotorch's operations, computed by PyTorch.

Usage: python scripts/golden/gotorch_ops.py gotorch/testdata/ops.safetensors

Each case names an operation of gotorch/native/ops.def, its arguments in the order of Go's signature
and PyTorch's own function over the same arguments. The file holds the tensors as <case>.in<i> and
<case>.out<i>, and in its metadata the cases as JSON and the versions. The Go test calls the operation
of that name by reflection, compares the results, and checks the gradients of the cases marked grad
against finite differences.
"""
import json
import sys

import safetensors
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

DTYPES = {torch.uint8: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3, torch.int64: 4,
          torch.float16: 5, torch.float32: 6, torch.float64: 7, torch.bool: 11, torch.bfloat16: 15}
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
    v = (torch.arange(n, dtype=torch.float32) - n / 2) * 0.37 + 0.11
    return v[torch.randperm(n, generator=gen)].reshape(shape)


def ints(high, *shape):
    return torch.randint(high, shape, generator=gen)


def bools(*shape):
    return torch.rand(*shape, generator=gen) > 0.5


def case(op, f, *args, grad=True, fixed=(), inplace=False, tolerance=1e-6):
    """fixed lists the tensors, counted from 0, that the operation is not differentiable in."""
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
        elif isinstance(a, (list, tuple)) and a and isinstance(a[0], torch.Tensor):
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
    r = f(*[a.clone() if isinstance(a, torch.Tensor) else a for a in args])
    out = list(r) if isinstance(r, (tuple, list)) or hasattr(r, "_fields") else [r]
    c = {"name": name, "op": op, "args": spec, "grad": grad and not inplace, "tolerance": tolerance}
    if fixed:
        c["fixed"] = [f"{name}.in{i}" for i in fixed]
    if isinstance(out[0], bool):
        c["value"] = out[0]
    else:
        for i, t in enumerate(out):
            tensors[f"{name}.out{i}"] = t.detach().clone().contiguous()
        c["outs"] = len(out)
    cases.append(c)


def method(name):
    return lambda a, *rest: getattr(a, name)(*rest)


# Making tensors.
case("Zeros", lambda s, g: torch.zeros(s), [2, 3], False)
case("Ones", lambda s, g: torch.ones(s), [2, 3], False)
case("Full", lambda s, v, g: torch.full(s, v), [2, 2], 1.5, False)
case("Eye", lambda n, m, g: torch.eye(n, m), 3, 4, False)
case("Arange", lambda a, b, s, g: torch.arange(a, b, s), 0.0, 2.5, 0.5, False)
case("Linspace", lambda a, b, n, g: torch.linspace(a, b, n), 3.0, 10.0, 5, False)
case("Logspace", lambda a, b, n, base, g: torch.logspace(a, b, n, base), -10.0, 10.0, 5, 2.0, False)
case("ZerosOf", lambda s, d: torch.zeros(s, dtype=d), [2], torch.int64)
case("FullOf", lambda s, v, d: torch.full(s, v, dtype=d), [2], 3.0, torch.int32)
case("ArangeOf", lambda a, b, s, d: torch.arange(a, b, s, dtype=d), 1.0, 9.0, 3.0, torch.int64)
case("ZerosLike", torch.zeros_like, normal(2, 2), grad=False)
case("OnesLike", torch.ones_like, normal(2, 2), grad=False)

# Two operands.
for op, f in [("Mul", torch.mul), ("Maximum", torch.maximum), ("Minimum", torch.minimum),
              ("Atan2", torch.atan2)]:
    case(op, f, apart(2, 3), apart(3))
case("Add", lambda a, b, alpha: torch.add(a, b, alpha=alpha), normal(2, 3), normal(3), 0.5)
case("Sub", lambda a, b, alpha: torch.sub(a, b, alpha=alpha), normal(2, 3), normal(2, 1), 2.0)
case("Add", lambda a, b, alpha: torch.add(a, b, alpha=int(alpha)), ints(9, 2, 3), ints(9, 3), 2.0, grad=False)
case("Div", torch.div, normal(2, 3), positive(2, 3))
case("Div", torch.div, ints(9, 2, 3), ints(9, 3) + 1, grad=False)
case("Pow", torch.pow, positive(2, 3), normal(2, 3))
case("Remainder", torch.remainder, apart(4), torch.tensor([1.3, 2.1, -0.7, 5.0]), grad=False)
case("Lerp", torch.lerp, normal(3), normal(3), 0.3)
case("Addcmul", lambda a, x, y, v: torch.addcmul(a, x, y, value=v), normal(3), normal(3), normal(3), 0.4)
case("Addcdiv", lambda a, x, y, v: torch.addcdiv(a, x, y, value=v), normal(3), normal(3), positive(3), 0.4)
case("AddScalar", torch.add, normal(3), 1.25)
case("AddScalar", lambda a, v: a + int(v), ints(9, 3), 2.0, grad=False)
case("SubScalar", torch.sub, normal(3), 1.25)
case("MulScalar", torch.mul, normal(3), -0.5)
case("MulScalar", lambda a, v: a * int(v), ints(9, 3), 3.0, grad=False)
case("DivScalar", torch.div, normal(3), 3.0)
case("PowScalar", torch.pow, positive(3), 2.5)
for op, f in [("AddI", lambda a, b, alpha: a.add_(b, alpha=alpha)), ("SubI", lambda a, b, alpha: a.sub_(b, alpha=alpha))]:
    case(op, f, normal(2, 3), normal(3), 0.5, inplace=True)
case("MulI", method("mul_"), normal(2, 3), normal(3), inplace=True)
case("DivI", method("div_"), normal(2, 3), positive(3), inplace=True)
case("AddScalarI", method("add_"), normal(3), 0.5, inplace=True)
case("MulScalarI", method("mul_"), normal(3), 0.5, inplace=True)
case("DivScalarI", method("div_"), normal(3), 0.5, inplace=True)
case("LerpI", method("lerp_"), normal(3), normal(3), 0.25, inplace=True)
case("ClampI", method("clamp_"), normal(5), -0.5, 0.5, inplace=True)
case("CopyI", method("copy_"), normal(2, 3), normal(3), inplace=True)
case("FillI", method("fill_"), normal(2), 2.5, inplace=True)
case("ZeroI", method("zero_"), normal(2), inplace=True)
case("MaskedFillI", method("masked_fill_"), normal(2, 3), bools(2, 3), -1.0, inplace=True)
case("ErfinvI", method("erfinv_"), unit(4), inplace=True)
case("ReluI", method("relu_"), normal(5), inplace=True)
case("LeakyReluI", F.leaky_relu, normal(5), 0.2, inplace=True)

# Comparison and logic.
for op, f in [("Eq", torch.eq), ("Ne", torch.ne), ("Lt", torch.lt), ("Le", torch.le), ("Gt", torch.gt),
              ("Ge", torch.ge)]:
    case(op, f, ints(3, 2, 4), ints(3, 4), grad=False)
for op, f in [("EqScalar", torch.eq), ("GtScalar", torch.gt), ("LtScalar", torch.lt)]:
    case(op, f, ints(3, 6), 1.0, grad=False)
case("LogicalAnd", torch.logical_and, bools(6), bools(6), grad=False)
case("LogicalOr", torch.logical_or, bools(6), bools(6), grad=False)
case("LogicalNot", torch.logical_not, bools(6), grad=False)
odd = torch.tensor([1.0, float("nan"), float("inf"), -float("inf"), 0.0])
case("IsNaN", torch.isnan, odd, grad=False)
case("IsFinite", torch.isfinite, odd, grad=False)
case("IsClose", torch.isclose, torch.tensor([1.0, 2.0]), torch.tensor([1.0001, 2.1]), 1e-3, 1e-8, grad=False)
same = normal(2, 3)
case("Equal", torch.equal, same, same, grad=False)
case("Equal", torch.equal, same, same + 1, grad=False)
case("AllClose", torch.allclose, same, same + 1e-7, grad=False)
case("AllClose", torch.allclose, same, same + 1e-2, grad=False)
case("Where", torch.where, bools(2, 3), normal(2, 3), normal(3))
case("MaskedFill", torch.masked_fill, normal(2, 3), bools(2, 3), 0.5)

# One operand.
for op, f, x in [
        ("Abs", torch.abs, apart), ("Neg", torch.neg, normal), ("Exp", torch.exp, normal),
        ("Expm1", torch.expm1, normal), ("Log", torch.log, positive), ("Log2", torch.log2, positive),
        ("Log1p", torch.log1p, positive), ("Sqrt", torch.sqrt, positive), ("Rsqrt", torch.rsqrt, positive),
        ("Square", torch.square, normal), ("Reciprocal", torch.reciprocal, positive), ("Sin", torch.sin, normal),
        ("Cos", torch.cos, normal), ("Tan", torch.tan, unit), ("Asin", torch.asin, unit), ("Acos", torch.acos, unit),
        ("Atan", torch.atan, normal), ("Sinh", torch.sinh, normal), ("Cosh", torch.cosh, normal),
        ("Tanh", torch.tanh, normal), ("Erf", torch.erf, normal), ("Relu", torch.relu, apart),
        ("Relu6", F.relu6, apart), ("Selu", F.selu, apart), ("Silu", F.silu, normal), ("Mish", F.mish, normal),
        ("Hardswish", F.hardswish, apart), ("Hardsigmoid", F.hardsigmoid, apart), ("Sigmoid", torch.sigmoid, normal),
        ("LogSigmoid", F.logsigmoid, normal), ("Clone", torch.clone, normal), ("Contiguous", method("contiguous"), normal)]:
    case(op, f, x(2, 4))
for op, f in [("Floor", torch.floor), ("Ceil", torch.ceil), ("Round", torch.round), ("Trunc", torch.trunc),
              ("Sign", torch.sign), ("Detach", torch.detach)]:
    case(op, f, apart(2, 4), grad=False)
case("Clamp", torch.clamp, apart(6), -0.5, 0.7)
case("NanToNum", torch.nan_to_num, odd, 0.5, 9.0, -9.0, grad=False)
case("LeakyRelu", F.leaky_relu, apart(6), 0.1)
case("Elu", F.elu, apart(6), 0.7)
case("Gelu", lambda a, s: F.gelu(a, approximate=s), normal(6), "none")
case("Gelu", lambda a, s: F.gelu(a, approximate=s), normal(6), "tanh")
case("Hardtanh", F.hardtanh, apart(6), -0.6, 0.8)
case("Softplus", F.softplus, normal(6), 1.5, 20.0)
case("Glu", F.glu, normal(2, 6), 1)
case("Prelu", F.prelu, apart(2, 3, 2), unit(3))
case("Softmax", torch.softmax, normal(2, 4), 1)
case("LogSoftmax", torch.log_softmax, normal(2, 4), 1)

# Reductions.
for op, f in [("Mean", torch.mean), ("Prod", torch.prod), ("Max", torch.max), ("Min", torch.min)]:
    case(op, f, apart(2, 3))
case("SumDims", torch.sum, normal(2, 3, 2), [0, 2], False)
case("SumDims", lambda a, d, k: torch.sum(a), normal(2, 3), [], False)
case("MeanDims", torch.mean, normal(2, 3, 2), [1], True)
case("Var", lambda a, d, c, k: torch.var(a, d, correction=int(c), keepdim=k), normal(3, 4), [1], 1.0, False)
case("Std", lambda a, d, c, k: torch.std(a, d, correction=int(c), keepdim=k), normal(3, 4), [0], 0.0, True)
case("Norm", torch.linalg.vector_norm, normal(3, 4), 2.0, [1], False)
case("MaxDim", torch.max, apart(3, 4), 1, False)
case("MinDim", torch.min, apart(3, 4), 0, True)
case("Amax", torch.amax, apart(3, 4), [0, 1], False)
case("Amin", torch.amin, apart(3, 4), [1], True)
case("All", torch.all, bools(4), grad=False)
case("Any", torch.any, bools(4), grad=False)
case("LogSumExp", torch.logsumexp, normal(3, 4), [1], False)
case("CumSum", torch.cumsum, normal(3, 4), 1)
case("CumProd", torch.cumprod, normal(3, 4), 0)
case("Median", torch.median, apart(3, 5), 1, False)
case("Quantile", torch.quantile, apart(7), 0.3)
case("ArgmaxDim", torch.argmax, apart(3, 4), 1, False, grad=False)
case("Histc", torch.histc, normal(20), 4, -2.0, 2.0, grad=False)
case("Bincount", lambda a, n: torch.bincount(a, minlength=n), ints(4, 10), 6, grad=False)
case("TopK", torch.topk, apart(3, 5), 2, 1, True, True)
case("Sort", lambda a, d, r: torch.sort(a, dim=d, descending=r, stable=True), apart(3, 4), 1, True)
case("Argsort", lambda a, d, r: torch.argsort(a, dim=d, descending=r, stable=True), apart(3, 4), 0, False, grad=False)
case("Unique", lambda a: torch.unique(a, return_inverse=True, return_counts=True), ints(4, 9), grad=False)

# Shape.
case("Flatten", torch.flatten, normal(2, 3, 2), 1, 2)
case("Reshape", torch.reshape, normal(2, 3), [3, -1])
case("Transpose", torch.transpose, normal(2, 3), 0, 1)
case("Permute", torch.permute, normal(2, 3, 4), [2, 0, 1])
case("Unsqueeze", torch.unsqueeze, normal(2, 3), 1)
case("Expand", method("expand"), normal(2, 1), [2, 3])
case("ExpandAs", method("expand_as"), normal(2, 1), normal(2, 3))
case("Repeat", method("repeat"), normal(2, 1), [2, 3])
case("RepeatInterleave", torch.repeat_interleave, normal(2, 2), 2, 1)
case("ChannelsLast", lambda a: a.contiguous(memory_format=torch.channels_last), normal(1, 2, 2, 2))
case("Narrow", torch.narrow, normal(4, 3), 0, 1, 2)
case("Slice", lambda a, d, s, e, n: a[:, s:e:n], normal(2, 7), 1, 1, 6, 2)
case("Select", torch.select, normal(4, 3), 0, 2)
case("Stack", torch.stack, [normal(2, 3), normal(2, 3)], 1)
case("Cat", torch.cat, [normal(2, 3), normal(2, 1)], 1)
case("Split", torch.split, normal(5, 2), 2, 0)
case("SplitSizes", torch.split, normal(5, 2), [1, 4], 0)
case("Chunk", torch.chunk, normal(5, 2), 2, 0)
case("Unbind", torch.unbind, normal(3, 2), 0)
case("Flip", torch.flip, normal(2, 3), [0, 1])
case("Roll", torch.roll, normal(2, 3), [1, 2], [0, 1])
case("Rot90", torch.rot90, normal(2, 3), 1, [0, 1])
case("Tril", torch.tril, normal(3, 3), -1)
case("Triu", torch.triu, normal(3, 3), 1)
case("Diag", torch.diag, normal(3), 1)
case("Diag", torch.diag, normal(3, 3), 0)
for mode in ["constant", "reflect", "replicate", "circular"]:
    case("Pad", lambda a, p, m, v: F.pad(a, p, m, v if m == "constant" else None), normal(1, 2, 3, 3), [1, 2, 1, 0], mode,
         0.5 if mode == "constant" else 0.0)

# Picking elements.
case("IndexSelect", torch.index_select, normal(4, 3), 0, torch.tensor([2, 0, 2]))
case("Gather", torch.gather, normal(3, 4), 1, ints(4, 3, 2))
case("Scatter", torch.scatter, normal(3, 4), 1, torch.tensor([[0, 2], [1, 3], [3, 0]]), normal(3, 2))
case("ScatterAdd", torch.scatter_add, normal(3, 4), 1, ints(4, 3, 2), normal(3, 2))
case("IndexAdd", torch.index_add, normal(4, 3), 0, torch.tensor([0, 2, 0]), normal(3, 3))
case("MaskedSelect", torch.masked_select, normal(2, 3), torch.tensor([[True, False, True], [False, True, True]]))
case("Nonzero", torch.nonzero, bools(2, 4), grad=False)
case("OneHot", F.one_hot, ints(4, 5), 4, grad=False)
case("Embedding", lambda w, i: F.embedding(i, w), normal(4, 3), ints(4, 2, 2))

# Products.
case("MM", torch.mm, normal(2, 3), normal(3, 4))
case("Matmul", torch.matmul, normal(2, 2, 3), normal(3, 2))
case("BMM", torch.bmm, normal(2, 2, 3), normal(2, 3, 2))
case("AddMM", lambda a, x, y, b, al: torch.addmm(a, x, y, beta=b, alpha=al), normal(2, 4), normal(2, 3), normal(3, 4), 0.5, 2.0)
case("Dot", torch.dot, normal(4), normal(4))
case("Outer", torch.outer, normal(2), normal(3))
case("Einsum", lambda e, ts: torch.einsum(e, *ts), "bij,bjk->bik", [normal(2, 2, 3), normal(2, 3, 2)])
case("CDist", torch.cdist, normal(3, 2), normal(4, 2), 2.0, tolerance=1e-5)
case("QR", torch.linalg.qr, normal(3, 3), tolerance=1e-5)
case("SVD", lambda a: torch.linalg.svd(a, full_matrices=False), normal(3, 2), grad=False, tolerance=1e-5)

# Layers.
case("Linear", F.linear, normal(2, 3), normal(4, 3), normal(4))
case("Linear", F.linear, normal(2, 3), normal(4, 3), None)
case("Conv1d", F.conv1d, normal(1, 2, 6), normal(3, 2, 3), normal(3), [2], [1], [1], 1)
case("Conv2d", F.conv2d, normal(2, 2, 5, 5), normal(3, 2, 3, 3), normal(3), [2, 2], [1, 1], [1, 1], 1)
case("Conv2d", F.conv2d, normal(1, 4, 5, 5), normal(4, 2, 3, 3), None, [1, 1], [2, 2], [2, 2], 2)
case("Conv3d", F.conv3d, normal(1, 1, 3, 3, 3), normal(2, 1, 2, 2, 2), normal(2), [1, 1, 1], [0, 0, 0], [1, 1, 1], 1)
case("ConvTranspose2d", F.conv_transpose2d, normal(1, 2, 3, 3), normal(2, 3, 3, 3), normal(3), [2, 2], [1, 1], [1, 1], 1, [1, 1])
case("BatchNorm", lambda x, m, v, w, b, t, mom, eps: F.batch_norm(x, m, v, w, b, t, mom, eps), normal(3, 2, 2, 2), normal(2),
     positive(2), normal(2), normal(2), False, 0.1, 1e-5, fixed=(1, 2))
case("BatchNorm", lambda x, m, v, w, b, t, mom, eps: F.batch_norm(x, m, v, w, b, t, mom, eps), normal(3, 2, 2, 2), None, None,
     normal(2), normal(2), True, 0.1, 1e-5)
case("InstanceNorm", lambda x, m, v, w, b, u, mom, eps: F.instance_norm(x, m, v, w, b, u, mom, eps), normal(2, 2, 3, 3), None,
     None, normal(2), normal(2), True, 0.1, 1e-5)
case("GroupNorm", F.group_norm, normal(2, 4, 2, 2), 2, normal(4), normal(4), 1e-5)
case("LayerNorm", F.layer_norm, normal(2, 3, 4), [3, 4], normal(3, 4), normal(3, 4), 1e-5)
case("Dropout", F.dropout, normal(4), 0.5, False)
case("Dropout2d", F.dropout2d, normal(1, 2, 2, 2), 0.5, False)
case("MaxPool1d", F.max_pool1d, apart(1, 2, 6), [2], [2], [0], [1], False)
case("MaxPool2d", F.max_pool2d, apart(1, 2, 5, 5), [3, 3], [2, 2], [1, 1], [1, 1], False)
case("AvgPool1d", F.avg_pool1d, normal(1, 2, 6), [3], [2], [1], False, True)
case("AvgPool2d", F.avg_pool2d, normal(1, 2, 5, 5), [3, 3], [2, 2], [1, 1], False, False)
case("LPPool2d", lambda x, p, k, s, c: F.lp_pool2d(x, p, k, s, c), positive(1, 2, 4, 4), 2.0, [2, 2], [2, 2], False)
case("AdaptiveAvgPool1d", F.adaptive_avg_pool1d, normal(1, 2, 5), [2])
case("AdaptiveAvgPool2d", F.adaptive_avg_pool2d, normal(1, 2, 5, 4), [2, 2])
case("AdaptiveMaxPool2d", lambda x, s: F.adaptive_max_pool2d(x, s, return_indices=True), apart(1, 2, 5, 4), [2, 2])
case("UpsampleNearest2d", lambda x, s: F.interpolate(x, s), normal(1, 1, 2, 3), [4, 5])
for aa in [False, True]:
    case("UpsampleBilinear2d", lambda x, s, ac, a: F.interpolate(x, s, mode="bilinear", align_corners=ac, antialias=a),
         normal(1, 1, 4, 5), [2, 3], False, aa)
    case("UpsampleBicubic2d", lambda x, s, ac, a: F.interpolate(x, s, mode="bicubic", align_corners=ac, antialias=a),
         normal(1, 1, 4, 5), [3, 3], False, aa)
for mode in ["bilinear", "nearest", "bicubic"]:
    for pad in ["zeros", "border", "reflection"]:
        case("GridSample", lambda x, g, m, p, ac: F.grid_sample(x, g, m, p, ac), normal(1, 1, 3, 3), apart(1, 2, 2, 2) * 0.3, mode, pad, False,
             grad=mode == "bilinear" and pad == "zeros", tolerance=2e-6)
case("AffineGrid", F.affine_grid, normal(1, 2, 3), [1, 1, 2, 3], True)
case("PixelShuffle", F.pixel_shuffle, normal(1, 4, 2, 2), 2)
case("ScaledDotProductAttention", lambda q, k, v, m, d, c: F.scaled_dot_product_attention(q, k, v, m, d, c), normal(1, 2, 3, 4),
     normal(1, 2, 3, 4), normal(1, 2, 3, 4), None, 0.0, True)

# Losses.
for r in ["none", "mean", "sum"]:
    case("CrossEntropy", lambda x, y, w, i, red, s: F.cross_entropy(x, y, w, ignore_index=i, reduction=red, label_smoothing=s),
         normal(4, 3), torch.tensor([0, 2, -100, 1]), positive(3), -100, r, 0.1, fixed=(2,))
    case("NllLoss", lambda x, y, w, i, red: F.nll_loss(x, y, w, ignore_index=i, reduction=red), normal(4, 3).log_softmax(1),
         torch.tensor([0, 2, 1, 1]), positive(3), 1, r, fixed=(2,))
    case("BinaryCrossEntropy", lambda x, y, w, red: F.binary_cross_entropy(x, y, w, reduction=red), unit(5), unit(5), positive(5), r, fixed=(2,))
    case("BinaryCrossEntropyWithLogits", lambda x, y, w, p, red: F.binary_cross_entropy_with_logits(x, y, w, pos_weight=p, reduction=red),
         normal(4, 3), unit(4, 3), None, positive(3), r, fixed=(2,))
    case("MSELoss", lambda x, y, red: F.mse_loss(x, y, reduction=red), normal(4), normal(4), r)
    case("L1Loss", lambda x, y, red: F.l1_loss(x, y, reduction=red), apart(4), normal(4), r)
    case("SmoothL1Loss", lambda x, y, red, b: F.smooth_l1_loss(x, y, reduction=red, beta=b), apart(4), normal(4), r, 0.8)
    case("HuberLoss", lambda x, y, red, d: F.huber_loss(x, y, reduction=red, delta=d), apart(4), normal(4), r, 0.9)
    case("KLDiv", lambda x, y, red, lt: F.kl_div(x, y, reduction=red, log_target=lt), normal(2, 3).log_softmax(1),
         normal(2, 3).softmax(1), r, False)
case("CrossEntropy", lambda x, y, w, i, red, s: F.cross_entropy(x, y, reduction=red), normal(4, 3), normal(4, 3).softmax(1), None, -100,
     "mean", 0.0)

# Other dtypes: half precision on the CPU.
case("Conv2d", F.conv2d, normal(1, 2, 4, 4).bfloat16(), normal(2, 2, 3, 3).bfloat16(), None, [1, 1], [1, 1], [1, 1], 1, grad=False,
     tolerance=1e-2)
case("Linear", F.linear, normal(2, 3).half(), normal(4, 3).half(), normal(4).half(), grad=False, tolerance=2e-3)
case("Mean", torch.mean, normal(2, 3).double(), tolerance=1e-12)
case("Relu", torch.relu, ints(9, 4) - 4, grad=False)

# Random numbers: the same seed draws the same numbers. The seed is set before each of these.
SEED = 7
random = []
for op, f, args in [
        ("Rand", lambda s, g: torch.rand(s), ([2, 3], False)), ("RandN", lambda s, g: torch.randn(s), ([4, 5], False)),
        ("RandInt", torch.randint, (0, 100, [6])), ("RandPerm", torch.randperm, (9,)),
        ("RandLike", torch.rand_like, (normal(3),)), ("RandNLike", torch.randn_like, (normal(3),)),
        ("Bernoulli", torch.bernoulli, (unit(8),)), ("Multinomial", torch.multinomial, (unit(2, 4), 3, False)),
        ("UniformI", method("uniform_"), (normal(4), -2.0, 3.0)), ("NormalI", method("normal_"), (normal(4), 1.0, 2.0)),
        ("Dropout", F.dropout, (normal(8), 0.5, True)), ("Dropout2d", F.dropout2d, (normal(2, 4, 1, 2), 0.5, True))]:
    torch.manual_seed(SEED)
    case(op, f, *args, grad=False)
    cases[-1]["seed"] = SEED

versions = {"torch": torch.__version__, "safetensors": safetensors.__version__, "generator": "scripts/golden/gotorch_ops.py"}
save_file(tensors, sys.argv[1], metadata={"cases": json.dumps(cases, separators=(",", ":")), **versions})
print(len(cases), "cases,", len({c["op"] for c in cases}), "operations")
