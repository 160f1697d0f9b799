#!/usr/bin/env python3
"""Golden results of gotorch's operations on elements, shapes and matrices, computed by PyTorch.

Usage: python scripts/golden/gotorch_ops.py gotorch/testdata/ops.safetensors

gotorch_case.py says what a case is.
"""
import torch
import torch.nn.functional as F

from gotorch_case import apart, bools, case, ints, method, normal, positive, save, unit

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
case("ZerosLike", torch.zeros_like, normal(2, 2))
case("OnesLike", torch.ones_like, normal(2, 2))

# Two operands.
for op, f in [("Mul", torch.mul), ("Maximum", torch.maximum), ("Minimum", torch.minimum),
              ("Atan2", torch.atan2)]:
    case(op, f, apart(2, 3), apart(3))
case("Add", lambda a, b, alpha: torch.add(a, b, alpha=alpha), normal(2, 3), normal(3), 0.5)
case("Sub", lambda a, b, alpha: torch.sub(a, b, alpha=alpha), normal(2, 3), normal(2, 1), 2.0)
case("Add", lambda a, b, alpha: torch.add(a, b, alpha=int(alpha)), ints(9, 2, 3), ints(9, 3), 2.0)
case("Div", torch.div, normal(2, 3), positive(2, 3))
case("Div", torch.div, ints(9, 2, 3), ints(9, 3) + 1)
case("Pow", torch.pow, positive(2, 3), normal(2, 3))
case("Remainder", torch.remainder, apart(4), torch.tensor([1.3, 2.1, -0.7, 5.0]))
case("Lerp", torch.lerp, normal(3), normal(3), 0.3)
case("Addcmul", lambda a, x, y, v: torch.addcmul(a, x, y, value=v), normal(3), normal(3), normal(3), 0.4)
case("Addcdiv", lambda a, x, y, v: torch.addcdiv(a, x, y, value=v), normal(3), normal(3), positive(3), 0.4)
case("AddScalar", torch.add, normal(3), 1.25)
case("AddScalar", lambda a, v: a + int(v), ints(9, 3), 2.0)
case("SubScalar", torch.sub, normal(3), 1.25)
case("MulScalar", torch.mul, normal(3), -0.5)
case("MulScalar", lambda a, v: a * int(v), ints(9, 3), 3.0)
case("DivScalar", torch.div, normal(3), 3.0)
case("PowScalar", torch.pow, positive(3), 2.5)
for op, f in [("AddI", lambda a, b, alpha: a.add_(b, alpha=alpha)), ("SubI", lambda a, b, alpha: a.sub_(b, alpha=alpha))]:
    case(op, f, normal(2, 3), normal(3), 0.5)
case("MulI", method("mul_"), normal(2, 3), normal(3))
case("DivI", method("div_"), normal(2, 3), positive(3))
case("AddScalarI", method("add_"), normal(3), 0.5)
case("MulScalarI", method("mul_"), normal(3), 0.5)
case("DivScalarI", method("div_"), normal(3), 0.5)
case("LerpI", method("lerp_"), normal(3), normal(3), 0.25)
case("ClampI", method("clamp_"), normal(5), -0.5, 0.5)
case("CopyI", method("copy_"), normal(2, 3), normal(3))
case("FillI", method("fill_"), normal(2), 2.5)
case("ZeroI", method("zero_"), normal(2))
case("MaskedFillI", method("masked_fill_"), normal(2, 3), bools(2, 3), -1.0)
case("ErfinvI", method("erfinv_"), unit(4))
case("ReluI", method("relu_"), normal(5))
case("LeakyReluI", F.leaky_relu, normal(5), 0.2)

# Comparison and logic.
for op, f in [("Eq", torch.eq), ("Ne", torch.ne), ("Lt", torch.lt), ("Le", torch.le), ("Gt", torch.gt),
              ("Ge", torch.ge)]:
    case(op, f, ints(3, 2, 4), ints(3, 4))
for op, f in [("EqScalar", torch.eq), ("GtScalar", torch.gt), ("LtScalar", torch.lt)]:
    case(op, f, ints(3, 6), 1.0)
case("LogicalAnd", torch.logical_and, bools(6), bools(6))
case("LogicalOr", torch.logical_or, bools(6), bools(6))
case("LogicalNot", torch.logical_not, bools(6))
odd = torch.tensor([1.0, float("nan"), float("inf"), -float("inf"), 0.0])
case("IsNaN", torch.isnan, odd)
case("IsFinite", torch.isfinite, odd)
case("IsClose", torch.isclose, torch.tensor([1.0, 2.0]), torch.tensor([1.0001, 2.1]), 1e-3, 1e-8)
same = normal(2, 3)
case("Equal", torch.equal, same, same)
case("Equal", torch.equal, same, same + 1)
case("AllClose", torch.allclose, same, same + 1e-7)
case("AllClose", torch.allclose, same, same + 1e-2)
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
    case(op, f, apart(2, 4))
case("Clamp", torch.clamp, apart(6), -0.5, 0.7)
case("NanToNum", torch.nan_to_num, odd, 0.5, 9.0, -9.0)
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
case("All", torch.all, bools(4))
case("Any", torch.any, bools(4))
case("LogSumExp", torch.logsumexp, normal(3, 4), [1], False)
case("CumSum", torch.cumsum, normal(3, 4), 1)
case("CumProd", torch.cumprod, normal(3, 4), 0)
case("Median", torch.median, apart(3, 5), 1, False)
case("Quantile", torch.quantile, apart(7), 0.3)
case("ArgmaxDim", torch.argmax, apart(3, 4), 1, False)
case("Histc", torch.histc, normal(20), 4, -2.0, 2.0)
case("Bincount", lambda a, n: torch.bincount(a, minlength=n), ints(4, 10), 6)
case("TopK", torch.topk, apart(3, 5), 2, 1, True, True)
case("Sort", lambda a, d, r: torch.sort(a, dim=d, descending=r, stable=True), apart(3, 4), 1, True)
case("Argsort", lambda a, d, r: torch.argsort(a, dim=d, descending=r, stable=True), apart(3, 4), 0, False)
case("Unique", lambda a: torch.unique(a, return_inverse=True, return_counts=True), ints(4, 9))

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
case("Nonzero", torch.nonzero, bools(2, 4))
case("OneHot", F.one_hot, ints(4, 5), 4)
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
case("SVD", lambda a: torch.linalg.svd(a, full_matrices=False), normal(3, 2), tolerance=1e-5)

# More of the same.
case("FullLike", torch.full_like, normal(2, 2), 1.5)
case("Meshgrid", lambda ts, i: torch.meshgrid(*ts, indexing=i), [normal(2), normal(3)], "ij")
case("Meshgrid", lambda ts, i: torch.meshgrid(*ts, indexing=i), [normal(2), normal(3)], "xy")
case("Fmod", torch.fmod, apart(4), torch.tensor([1.3, 2.1, -0.7, 5.0]), fixed=(1,))
case("FloorDivide", torch.floor_divide, apart(4), torch.tensor([1.3, 2.1, -0.7, 5.0]))
case("FloorDivide", torch.floor_divide, ints(9, 4) - 4, torch.tensor([2, -3, 1, 4]))
case("Hypot", torch.hypot, normal(3), normal(3))
case("AddcmulI", lambda a, x, y, v: a.addcmul_(x, y, value=v), normal(3), normal(3), normal(3), 0.4)
case("AddcdivI", lambda a, x, y, v: a.addcdiv_(x, y, value=v), normal(3), normal(3), positive(3), 0.4)
for op, f in [("NeScalar", torch.ne), ("GeScalar", torch.ge), ("LeScalar", torch.le)]:
    case(op, f, ints(3, 6), 1.0)
case("IsIn", torch.isin, ints(5, 6), torch.tensor([1, 3]))
case("LogicalXor", torch.logical_xor, bools(6), bools(6))
case("IsInf", torch.isinf, odd)
for op, f, x in [
        ("Log10", torch.log10, positive), ("Exp2", torch.exp2, normal), ("Erfc", torch.erfc, normal), ("Erfinv", torch.erfinv, unit),
        ("Lgamma", torch.lgamma, positive), ("Frac", torch.frac, apart), ("SigmoidI", method("sigmoid_"), normal),
        ("TanhI", method("tanh_"), normal), ("SiluI", lambda a: F.silu(a, inplace=True), normal),
        ("HardswishI", lambda a: F.hardswish(a, inplace=True), apart), ("HardsigmoidI", lambda a: F.hardsigmoid(a, inplace=True), apart)]:
    case(op, f, x(2, 4))
case("Logit", torch.logit, unit(6), 1e-3)
case("ClampMin", torch.clamp_min, apart(6), 0.3)
case("ClampMax", torch.clamp_max, apart(6), 0.3)
case("Celu", F.celu, apart(6), 0.7)
case("Threshold", F.threshold, apart(6), 0.3, -0.5)
case("Hardshrink", F.hardshrink, apart(6), 0.4)
case("Softshrink", F.softshrink, apart(6), 0.4)
case("EluI", lambda a, v: F.elu(a, v, inplace=True), apart(6), 0.7)
case("HardtanhI", lambda a, lo, hi: F.hardtanh(a, lo, hi, inplace=True), apart(6), -0.6, 0.8)
case("ProdDim", torch.prod, apart(2, 3), 1, True)
holes = torch.tensor([[1.0, float("nan"), 3.0], [0.5, 2.5, float("nan")]])
case("NanSum", torch.nansum, holes, [1], False, kink="differences of nan")
case("NanMean", torch.nanmean, holes, [0], True, kink="differences of nan")
case("NanSum", torch.nansum, normal(2, 3), [1], False)
case("NanMean", torch.nanmean, normal(2, 3), [1], False)
case("CountNonzero", torch.count_nonzero, ints(3, 3, 4), [1])
case("VarMean", lambda a, d, c, k: torch.var_mean(a, d, correction=int(c), keepdim=k), normal(3, 4), [1], 1.0, True)
case("AllDims", torch.all, ints(2, 3, 2), [1], False)
case("AnyDims", torch.any, ints(2, 3, 2), [1], True)
case("CumMax", torch.cummax, apart(3, 4), 1)
case("CumMin", torch.cummin, apart(3, 4), 0)
case("Diff", torch.diff, normal(2, 5), 2, 1)
case("KthValue", torch.kthvalue, apart(3, 5), 2, 1, False)
case("Mode", torch.mode, ints(3, 2, 7), 1, False)
case("Mode", torch.mode, apart(2, 3), 1, True)
case("QuantileDim", lambda a, q, d, k: torch.quantile(a, q, dim=d, keepdim=k), apart(3, 5), 0.3, 1, True)
case("ArgminDim", torch.argmin, apart(3, 4), 1, False)
line = torch.tensor([-1.0, 0.0, 0.5, 2.0])
for right in [False, True]:
    case("SearchSorted", lambda a, v, r: torch.searchsorted(a, v, right=r), line, torch.tensor([0.0, 3.0, -2.0, 0.5]), right)
    case("Bucketize", lambda v, a, r: torch.bucketize(v, a, right=r), torch.tensor([0.0, 3.0, -2.0, 0.5]), line, right)
case("Unflatten", torch.unflatten, normal(2, 6), 1, [3, -1])
case("Movedim", torch.movedim, normal(2, 3, 4), [0, 1], [2, 0])
case("Unfold", method("unfold"), normal(2, 6), 1, 3, 2)
case("Diagonal", torch.diagonal, normal(3, 4, 2), 1, 0, 1)
case("IndexCopy", torch.index_copy, normal(4, 3), 0, torch.tensor([3, 0]), normal(2, 3))
case("IndexFill", torch.index_fill, normal(4, 3), 1, torch.tensor([2, 0]), 0.5)
case("IndexPut", lambda a, i, v, acc: torch.index_put(a, i, v, acc), normal(4, 3), [torch.tensor([0, 2, 0]), torch.tensor([1, 2, 1])],
     normal(3), True)
case("IndexTensors", lambda a, i: a[tuple(i)], normal(4, 3), [torch.tensor([0, 2, 0]), torch.tensor([1, 2, 1])])
case("TakeAlongDim", torch.take_along_dim, normal(3, 4), ints(3, 1, 4), 0)
for r in ["sum", "prod", "mean", "amax", "amin"]:
    case("ScatterReduce", lambda a, d, i, s, r, own: torch.scatter_reduce(a, d, i, s, r, include_self=own), apart(3, 4), 1,
         torch.tensor([[0, 2], [1, 1], [3, 0]]), apart(3, 2) + 0.05, r, True)
case("MV", torch.mv, normal(2, 3), normal(3))
case("BaddBMM", lambda a, x, y, b, al: torch.baddbmm(a, x, y, beta=b, alpha=al), normal(2, 2, 2), normal(2, 2, 3), normal(2, 3, 2), 0.5, 2.0)
well = normal(3, 3) + 3 * torch.eye(3)
case("Inverse", torch.linalg.inv, well)
case("Det", torch.linalg.det, well)
case("Solve", torch.linalg.solve, well, normal(3, 2))
case("Cholesky", torch.linalg.cholesky, well @ well.T, symmetric=True)
case("Eigh", torch.linalg.eigh, well @ well.T, symmetric=True)
case("Trace", torch.trace, normal(3, 4))

save(__file__)
