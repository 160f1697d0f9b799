"""gotorch's own kernels from Python: torch modules run through conv_chain.

The library is built by gotorch/native/kernels/tests/CMakeLists.txt against this Python's torch.
"""
import os
import torch
import torch.nn as nn

MODES = {"auto": 0, "own": 1, "libtorch": 2}
ORDERS = {"conv": 0, "conv-relu": 1, "conv-relu-norm": 2, "conv-norm": 3, "conv-norm-relu": 4,
          "conv-relu6": 1, "conv-relu6-norm": 2, "conv-norm-relu6": 4}


def load(path):
    torch.ops.load_library(os.path.abspath(path))
    return torch.ops.gotorch_kernels


def padding_end(conv):
    """Rows and columns of zeros below and on the right; Conv2d itself has as many as above and left."""
    return getattr(conv, "padding_end", conv.padding)


def stage(conv, norm=None, order=None):
    """One stage: a Conv2d, a BatchNorm2d or None, and the order of what follows the convolution."""
    return conv, norm, order or ("conv-relu-norm" if norm is not None else "conv")


def conv_chain(x, stages, residual=None):
    tensors, numbers, reals = [], [], []
    for conv, norm, order in stages:
        tensors += [conv.weight, conv.bias]
        if norm is None:
            tensors += [None] * 4
        else:
            tensors += [norm.weight, norm.bias, norm.running_mean, norm.running_var]
        numbers += [ORDERS[order], *conv.stride, *conv.padding, *padding_end(conv), *conv.dilation, conv.groups,
                    int(norm is not None and (norm.training or norm.running_mean is None))]
        reals += [0.1 if norm is None else norm.momentum, 1e-5 if norm is None else norm.eps, 6.0 if "relu6" in order else float("inf")]
    return torch.ops.gotorch_kernels.conv_chain(x, tensors, numbers, reals, residual)


def reference(x, stages, residual=None):
    """The same with torch's modules; works in any dtype the modules are in."""
    for i, (conv, norm, order) in enumerate(stages):
        relu = torch.nn.functional.relu6 if "relu6" in order else torch.relu
        if padding_end(conv) == conv.padding:
            x = conv(x)
        else:
            (top, left), (bottom, right) = conv.padding, padding_end(conv)
            x = nn.functional.conv2d(nn.functional.pad(x, (left, right, top, bottom)), conv.weight, conv.bias,
                                     conv.stride, 0, conv.dilation, conv.groups)
        if order.startswith("conv-relu"):
            x = relu(x)
        if norm is not None:
            x = norm(x)
        if residual is not None and i + 1 == len(stages):
            x = x + residual
        if order.startswith("conv-norm-relu"):
            x = relu(x)
    return x


def stages_of(sequential):
    """The chain in a Sequential of Conv2d, ReLU and BatchNorm2d, as nn.Sequential fuses it."""
    stages, modules = [], list(sequential)
    for i, m in enumerate(modules):
        if not isinstance(m, nn.Conv2d):
            continue
        after = [a for a in modules[i + 1:i + 3]]
        for j, a in enumerate(after):
            if isinstance(a, nn.Conv2d):
                after = after[:j]
                break
        kinds = [type(a) for a in after if isinstance(a, (nn.ReLU, nn.BatchNorm2d))]
        norm = next((a for a in after if isinstance(a, nn.BatchNorm2d)), None)
        order = {(): "conv", (nn.ReLU,): "conv-relu", (nn.BatchNorm2d,): "conv-norm",
                 (nn.ReLU, nn.BatchNorm2d): "conv-relu-norm",
                 (nn.BatchNorm2d, nn.ReLU): "conv-norm-relu"}[tuple(kinds)]
        stages.append((m, norm, order))
    return stages


def cnn8(classes=4):
    """The article's network: 3-8-16-32-64-128-256-512-classes, stride 2."""
    channels, kernels, layers = [3, 8, 16, 32, 64, 128, 256, 512, classes], [5] * 5 + [3] * 3, []
    for i, k in enumerate(kernels):
        layers.append(nn.Conv2d(channels[i], channels[i + 1], k, 2, k // 2))
        if i < 7:
            layers += [nn.ReLU(), nn.BatchNorm2d(channels[i + 1])]
    return nn.Sequential(*layers)
