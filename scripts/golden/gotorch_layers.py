#!/usr/bin/env python3
"""Golden results of gotorch's layers, losses and random numbers, computed by PyTorch.

Usage: python scripts/golden/gotorch_layers.py gotorch/testdata/layers.safetensors

gotorch_case.py says what a case is.
"""
import torch
import torch.nn.functional as F
import torchvision

from gotorch_case import apart, bools, case, gen, ints, method, normal, positive, save, unit

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
             tolerance=2e-6)
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

# More of the same.
case("ConvTranspose1d", F.conv_transpose1d, normal(1, 2, 4), normal(2, 3, 3), normal(3), [2], [1], [1], 1, [1])
case("ConvTranspose3d", F.conv_transpose3d, normal(1, 2, 2, 2, 2), normal(2, 1, 2, 2, 2), None, [1, 1, 1], [0, 0, 0], [0, 0, 0], 1, [1, 1, 1])
case("Conv2d", F.conv2d, normal(2, 4, 5, 5), normal(4, 1, 3, 3), normal(4), [1, 1], [1, 1], [1, 1], 4)
case("RMSNorm", lambda x, s, w, e: F.rms_norm(x, s, w, e), normal(2, 3, 4), [4], normal(4), 1e-5)
case("Normalize", F.normalize, normal(3, 4), 2.0, 1, 1e-12)
case("CosineSimilarity", F.cosine_similarity, normal(3, 4), normal(3, 4), 1, 1e-8)
case("PairwiseDistance", F.pairwise_distance, normal(3, 4), normal(3, 4), 2.0, 1e-6, True)
case("AlphaDropout", F.alpha_dropout, normal(4), 0.5, False)
case("MaxPool2dWithIndices", lambda x, k, s, p, d, c: F.max_pool2d(x, k, s, p, d, c, return_indices=True), apart(1, 2, 5, 5), [3, 3], [2, 2],
     [1, 1], [1, 1], False)
case("MaxPool3d", F.max_pool3d, apart(1, 1, 4, 4, 4), [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], False)
y, indices = F.max_pool2d(apart(1, 2, 4, 4), 2, return_indices=True)
case("MaxUnpool2d", lambda x, i, s: F.max_unpool2d(x, i, 2, output_size=s), y, indices, [4, 4])
case("AvgPool3d", F.avg_pool3d, normal(1, 1, 4, 4, 4), [2, 2, 2], [2, 2, 2], [1, 1, 1], False, True)
case("AdaptiveMaxPool1d", lambda x, s: F.adaptive_max_pool1d(x, s, return_indices=True), apart(1, 2, 5), [2])
case("AdaptiveAvgPool3d", F.adaptive_avg_pool3d, normal(1, 1, 3, 4, 5), [2, 2, 2])
case("AdaptiveMaxPool3d", lambda x, s: F.adaptive_max_pool3d(x, s, return_indices=True), apart(1, 1, 3, 4, 5), [2, 2, 2])
case("FractionalMaxPool2d", lambda x, k, s, r: F.fractional_max_pool2d(x, k, output_size=s, return_indices=True, _random_samples=r),
     apart(1, 2, 6, 6), [2, 2], [3, 3], torch.rand(1, 2, 2, generator=gen), fixed=(1,))
case("UpsampleLinear1d", lambda x, s, ac: F.interpolate(x, s, mode="linear", align_corners=ac), normal(1, 2, 4), [6], False)
case("UpsampleTrilinear3d", lambda x, s, ac: F.interpolate(x, s, mode="trilinear", align_corners=ac), normal(1, 1, 2, 3, 2), [3, 3, 3], True)
case("UpsampleNearestExact2d", lambda x, s: F.interpolate(x, s, mode="nearest-exact"), normal(1, 1, 2, 3), [4, 5])
case("PixelUnshuffle", F.pixel_unshuffle, normal(1, 1, 4, 4), 2)
case("ChannelShuffle", F.channel_shuffle, normal(1, 4, 2, 2), 2)
case("Im2col", F.unfold, normal(1, 2, 4, 4), [3, 3], [1, 1], [1, 1], [2, 2])
case("Col2im", F.fold, normal(1, 18, 4), [4, 4], [3, 3], [1, 1], [1, 1], [2, 2])
signs = torch.tensor([1.0, -1.0, -1.0, 1.0])
for r in ["none", "mean", "sum"]:
    case("SoftMarginLoss", lambda x, y, red: F.soft_margin_loss(x, y, reduction=red), normal(4), signs, r, fixed=(1,))
    case("HingeEmbeddingLoss", lambda x, y, m, red: F.hinge_embedding_loss(x, y, m, reduction=red), apart(4), signs, 1.0, r, fixed=(1,))
    case("MarginRankingLoss", lambda a, b, y, m, red: F.margin_ranking_loss(a, b, y, m, reduction=red), apart(4), normal(4), signs, 0.1, r,
         fixed=(2,))
    case("CosineEmbeddingLoss", lambda a, b, y, m, red: F.cosine_embedding_loss(a, b, y, m, reduction=red), normal(4, 3), normal(4, 3), signs,
         -0.5, r, fixed=(2,))
    case("TripletMarginLoss", lambda a, p, n, m, e, eps, s, red: F.triplet_margin_loss(a, p, n, m, e, eps, s, reduction=red), normal(3, 4),
         normal(3, 4), normal(3, 4), 1.0, 2.0, 1e-6, True, r)
    case("MultiMarginLoss", lambda x, y, p, m, w, red: F.multi_margin_loss(x, y, int(p), m, w, reduction=red), apart(3, 4), ints(4, 3), 1.0,
         1.0, positive(4), r, fixed=(2,))
    case("MultilabelMarginLoss", lambda x, y, red: F.multilabel_margin_loss(x, y, reduction=red), apart(2, 4),
         torch.tensor([[3, 0, -1, 1], [2, -1, 0, 0]]), r)
    case("PoissonNllLoss", lambda x, y, log, full, eps, red: F.poisson_nll_loss(x, y, log, full, eps=eps, reduction=red), normal(4),
         positive(4) + 1, True, True, 1e-8, r)
    case("SigmoidFocalLoss", lambda x, y, a, g, red: torchvision.ops.sigmoid_focal_loss(x, y, a, g, red), normal(4, 3), bools(4, 3).float(),
         0.25, 2.0, r)

# Other dtypes: half precision on the CPU.
case("Conv2d", F.conv2d, normal(1, 2, 4, 4).bfloat16(), normal(2, 2, 3, 3).bfloat16(), None, [1, 1], [1, 1], [1, 1], 1,
     tolerance=1e-2)
case("Linear", F.linear, normal(2, 3).half(), normal(4, 3).half(), normal(4).half(), tolerance=2e-3)
case("Mean", torch.mean, normal(2, 3).double(), tolerance=1e-12)
case("Relu", torch.relu, ints(9, 4) - 4)

# Random numbers: the same seed draws the same numbers.
for op, f, args in [
        ("Rand", lambda s, g: torch.rand(s), ([2, 3], False)), ("RandN", lambda s, g: torch.randn(s), ([4, 5], False)),
        ("RandInt", torch.randint, (0, 100, [6])), ("RandPerm", torch.randperm, (9,)),
        ("RandLike", torch.rand_like, (normal(3),)), ("RandNLike", torch.randn_like, (normal(3),)),
        ("Bernoulli", torch.bernoulli, (unit(8),)), ("Multinomial", torch.multinomial, (unit(2, 4), 3, False)),
        ("UniformI", method("uniform_"), (normal(4), -2.0, 3.0)), ("NormalI", method("normal_"), (normal(4), 1.0, 2.0)),
        ("Dropout", F.dropout, (normal(8), 0.5, True)), ("Dropout2d", F.dropout2d, (normal(2, 4, 1, 2), 0.5, True)),
        ("AlphaDropout", F.alpha_dropout, (normal(8), 0.5, True))]:
    case(op, f, *args, seed=7)

save(__file__)
