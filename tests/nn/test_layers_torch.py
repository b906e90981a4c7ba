"""Every layer beside PyTorch's of the same name: names of the state, outputs, gradients, buffers, in both modes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import minidl
from minidl import nn

from .with_torch import as_ours, as_torch, assert_close, assert_same_layer, torch

IMAGE, ROW, SEQUENCE = (4, 6, 8, 7), (5, 6), (4, 6, 9)
LAYERS = [
    ("Linear", (6, 3), {}, ROW),
    ("Linear", (9, 3), {"bias": False}, SEQUENCE),
    ("Identity", (), {}, ROW),
    ("Flatten", (), {}, IMAGE),
    ("Flatten", (0, 2), {}, IMAGE),
    ("Unflatten", (1, (2, 3)), {}, IMAGE),
    ("Conv1d", (6, 4, 3), {"stride": 2, "padding": 1, "dilation": 2}, SEQUENCE),
    ("Conv1d", (6, 4, 3), {"padding": "same", "groups": 2, "bias": False}, SEQUENCE),
    ("Conv1d", (6, 4, 4), {"padding": "same", "padding_mode": "replicate", "dilation": 3}, SEQUENCE),
    ("Conv1d", (6, 4, 3), {"padding": 2, "padding_mode": "reflect", "stride": 2}, SEQUENCE),
    ("Conv2d", (6, 4, 3), {}, IMAGE),
    ("Conv2d", (6, 4, (3, 5)), {"padding": (1, 2), "padding_mode": "reflect", "stride": 2, "groups": 2}, IMAGE),
    ("Conv2d", (6, 4, (2, 5)), {"padding": "same", "padding_mode": "circular"}, IMAGE),
    ("Conv2d", (6, 4, 3), {"padding": "valid", "padding_mode": "replicate"}, IMAGE),
    ("ConvTranspose1d", (6, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, SEQUENCE),
    ("ConvTranspose1d", (6, 4, 3), {"dilation": 2, "bias": False}, SEQUENCE),
    ("Conv2d", (6, 4, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}, IMAGE),
    ("Conv2d", (6, 6, 3), {"padding": "same", "groups": 6, "bias": False}, IMAGE),
    ("ConvTranspose2d", (6, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, IMAGE),
    ("ConvTranspose2d", (6, 4, (3, 2)), {"dilation": 2, "bias": False}, IMAGE),
    ("MaxPool2d", (2,), {}, IMAGE),
    ("MaxPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, IMAGE),
    ("MaxPool2d", ((2, 3),), {"dilation": (2, 1)}, IMAGE),
    ("AvgPool2d", (2,), {}, IMAGE),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}, IMAGE),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1, "dilation": 2}, SEQUENCE),
    ("MaxPool1d", (2,), {"ceil_mode": True}, SEQUENCE),
    ("AvgPool1d", (3, 2), {"padding": 1, "ceil_mode": True, "count_include_pad": False}, SEQUENCE),
    ("AdaptiveAvgPool1d", (4,), {}, SEQUENCE),
    ("AdaptiveMaxPool1d", (4,), {}, SEQUENCE),
    ("AdaptiveAvgPool2d", (1,), {}, IMAGE),
    ("AdaptiveAvgPool2d", ((3, 2),), {}, IMAGE),
    ("AdaptiveMaxPool2d", (1,), {}, IMAGE),
    ("AdaptiveMaxPool2d", ((3, 2),), {}, IMAGE),
    ("Upsample", (), {"scale_factor": 2}, IMAGE),
    ("Upsample", ((5, 9),), {"mode": "bilinear"}, IMAGE),
    ("Upsample", (), {"scale_factor": (1.5, 2.0), "mode": "bilinear", "align_corners": True}, IMAGE),
    ("Upsample", (), {"scale_factor": 1.3, "mode": "bilinear", "recompute_scale_factor": True}, IMAGE),
    ("BatchNorm1d", (6,), {}, ROW),
    ("BatchNorm1d", (6,), {"momentum": None, "eps": 0.1}, SEQUENCE),
    ("BatchNorm2d", (6,), {}, IMAGE),
    ("BatchNorm2d", (6,), {"momentum": 0.3, "affine": False}, IMAGE),
    ("BatchNorm2d", (6,), {"track_running_stats": False}, IMAGE),
    ("LayerNorm", (9,), {}, SEQUENCE),
    ("LayerNorm", ((6, 9),), {"eps": 0.1, "bias": False}, SEQUENCE),
    ("LayerNorm", (9,), {"elementwise_affine": False}, SEQUENCE),
    ("RMSNorm", (9,), {}, SEQUENCE),
    ("RMSNorm", ((6, 9),), {"eps": 0.1, "elementwise_affine": False}, SEQUENCE),
    ("ZeroPad1d", (2,), {}, SEQUENCE),
    ("ZeroPad2d", ((1, 0, -2, 3),), {}, IMAGE),
    ("ConstantPad1d", ((1, 2), 0.5), {}, SEQUENCE),
    ("ConstantPad2d", (1, -2.0), {}, IMAGE),
    ("ReflectionPad1d", ((3, 1),), {}, SEQUENCE),
    ("ReflectionPad2d", (2,), {}, IMAGE),
    ("ReplicationPad1d", (3,), {}, SEQUENCE),
    ("ReplicationPad2d", ((1, 2, 3, 4),), {}, IMAGE),
    ("Unfold", ((3, 2),), {"padding": (1, 0), "stride": 2}, IMAGE),
    ("Fold", ((4, 4), (2, 1)), {}, (2, 4, 12)),
    ("PixelShuffle", (2,), {}, (2, 8, 3, 4)),
    ("PixelUnshuffle", (2,), {}, (2, 3, 4, 6)),
    ("GroupNorm", (3, 6), {}, IMAGE),
    ("GroupNorm", (6, 6), {"affine": False, "eps": 0.1}, SEQUENCE),
    ("InstanceNorm2d", (6,), {}, IMAGE),
    ("InstanceNorm2d", (6,), {"affine": True, "eps": 0.1}, IMAGE),
    ("InstanceNorm2d", (6,), {"affine": True}, IMAGE[1:]),
    ("InstanceNorm1d", (6, 1e-3, 0.5, True, False), {}, SEQUENCE),
    ("InstanceNorm1d", (6,), {}, SEQUENCE[1:]),
    ("Dropout", (0.0,), {}, ROW),
    ("Dropout2d", (0.0,), {}, IMAGE),
    ("Dropout1d", (0.0,), {}, SEQUENCE),
    ("CircularPad1d", ((3, 1),), {}, SEQUENCE),
    ("CircularPad2d", (2,), {}, IMAGE),
    ("UpsamplingNearest2d", (), {"scale_factor": 2}, IMAGE),
    ("UpsamplingBilinear2d", ((5, 9),), {}, IMAGE),
    ("LocalResponseNorm", (3,), {"alpha": 0.5, "k": 2.0}, IMAGE),
    ("ChannelShuffle", (3,), {}, IMAGE),
    ("ReLU", (), {}, ROW),
    ("LeakyReLU", (0.2,), {}, ROW),
    ("PReLU", (), {}, IMAGE),
    ("PReLU", (6,), {"init": 0.4}, IMAGE),
    ("ELU", (0.7,), {}, ROW),
    ("Hardtanh", (-0.5, 0.7), {}, ROW),
    ("ReLU6", (), {}, ROW),
    ("Hardswish", (), {}, ROW),
    ("SELU", (), {}, ROW),
    ("Mish", (), {}, ROW),
    ("CELU", (0.5,), {}, ROW),
    ("Hardshrink", (0.4,), {}, ROW),
    ("Softshrink", (0.4,), {}, ROW),
    ("Threshold", (0.4, -2.0), {}, ROW),
    ("Tanhshrink", (), {}, ROW),
    ("Softmin", (1,), {}, IMAGE),
    ("Softmax2d", (), {}, IMAGE),
    ("GLU", (1,), {}, ROW),
    ("GELU", (), {}, ROW),
    ("GELU", (), {"approximate": "tanh"}, ROW),
    ("SiLU", (), {}, ROW),
    ("Sigmoid", (), {}, ROW),
    ("Tanh", (), {}, ROW),
    ("Softplus", (2.0,), {}, ROW),
    ("LogSigmoid", (), {}, ROW),
    ("Softmax", (1,), {}, IMAGE),
    ("LogSoftmax", (-1,), {}, ROW),
]
CLASSES, WEIGHTS = np.array([0, 5, 2, 2, 3]), np.array([0.5, 1.0, 2.0, 0.3, 0.7, 1.2])
PROBABILITIES = np.random.default_rng(8).dirichlet(np.ones(6), 5)
COUNTS, SIGNS = np.arange(30.0).reshape(5, 6) % 4, np.where(PROBABILITIES > 0.15, 1.0, -1.0)
LOSSES = [
    ("MSELoss", {}, "numbers"),
    ("L1Loss", {}, "numbers"),
    ("SmoothL1Loss", {"beta": 0.5}, "numbers"),
    ("HuberLoss", {"delta": 0.7}, "numbers"),
    ("CrossEntropyLoss", {}, CLASSES),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, PROBABILITIES),
    ("CrossEntropyLoss", {"weight": WEIGHTS, "ignore_index": 2, "label_smoothing": 0.1}, CLASSES),
    ("NLLLoss", {"weight": WEIGHTS, "ignore_index": 5}, CLASSES),
    ("BCEWithLogitsLoss", {"weight": WEIGHTS, "pos_weight": WEIGHTS[::-1].copy()}, PROBABILITIES),
    ("KLDivLoss", {"log_target": False}, PROBABILITIES),
    ("PoissonNLLLoss", {"log_input": True, "full": True}, COUNTS),
    ("HingeEmbeddingLoss", {"margin": 0.7}, SIGNS),
    ("SoftMarginLoss", {}, SIGNS),
    ("MultiLabelSoftMarginLoss", {"weight": WEIGHTS}, PROBABILITIES),
    ("MultiMarginLoss", {"p": 2, "margin": 0.7, "weight": WEIGHTS}, CLASSES),
]
SHOWN_ELSEWHERE = {
    "BCELoss", "Bilinear", "CosineEmbeddingLoss", "CosineSimilarity", "Embedding", "EmbeddingBag", "GRU", "GRUCell",
    "GaussianNLLLoss", "Hardsigmoid", "LSTM", "LSTMCell", "MarginRankingLoss", "Module", "ModuleDict", "ModuleList",
    "MultiheadAttention", "PairwiseDistance", "Parameter", "ParameterDict", "ParameterList", "RNN", "RNNCell",
    "Sequential", "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
}  # fmt: skip


def make(library, kind, arguments, options):
    return getattr(library, kind)(*arguments, **options)


def disturb(layer):
    """Weights of ones and biases of zeros would hide mistakes in them."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    return layer


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("kind", "arguments", "options", "shape"), LAYERS, ids=str)
def test_layers(kind, arguments, options, shape, training):
    torch.manual_seed(0)
    theirs, ours = disturb(make(torch.nn, kind, arguments, options)), make(nn, kind, arguments, options)
    x = np.random.default_rng(0).normal(size=shape)
    if "BatchNorm" in kind:
        assert_same_layer(theirs, ours, x + 3)  # running statistics that are not those of x
    assert_same_layer(theirs.train(training), ours.train(training), x)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("kind", "options", "target"), LOSSES, ids=lambda value: str(value)[:40])
def test_losses(kind, options, target, reduction):
    random = np.random.default_rng(1)
    x = random.normal(size=(5, 6))
    target = random.normal(size=(5, 6)) if isinstance(target, str) else target
    tensors = {name: torch.tensor(value) if isinstance(value, np.ndarray) else value for name, value in options.items()}
    theirs, ours = as_torch(x), as_ours(x)
    loss = getattr(torch.nn, kind)(reduction=reduction, **tensors)(theirs, torch.from_numpy(target))
    our_loss = getattr(nn, kind)(reduction=reduction, **options)(ours, minidl.Tensor(target))
    assert_close(our_loss, loss, 1e-10, "loss")
    loss.sum().backward()
    our_loss.sum().backward()
    assert_close(ours.grad, theirs.grad, 1e-10, "gradient")


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_variance_and_a_distance_beside_the_input(reduction):
    random = np.random.default_rng(5)
    arrays, var = random.normal(size=(3, 5, 6)), random.uniform(0, 2, size=(5, 1))
    for kind, inputs, options in (
        ("GaussianNLLLoss", (*arrays[:2], var), {"full": True, "eps": 0.3}),
        ("TripletMarginWithDistanceLoss", arrays, {"swap": True, "distance_function": lambda a, b: (a - b).amax(-1)}),
    ):
        theirs, ours = [as_torch(x) for x in inputs], [as_ours(x) for x in inputs]
        loss = getattr(torch.nn, kind)(reduction=reduction, **options)(*theirs)
        our_loss = getattr(nn, kind)(reduction=reduction, **options)(*ours)
        assert_close(our_loss, loss, 1e-10, "loss")
        loss.sum().backward()
        our_loss.sum().backward()
        for mine, other in zip(ours, theirs):
            assert_close(mine.grad, other.grad, 1e-10, "gradient")


@pytest.mark.parametrize(("rows", "columns"), [(18, 22), (20, 24), (18, 21)])
def test_the_output_size_of_a_transposed_convolution_may_be_asked_for(rows, columns):
    options, image = {"stride": (3, 4), "padding": 1, "dilation": (2, 1), "output_padding": 1}, IMAGE[:2] + (6, 6)
    x = np.random.default_rng(6).normal(size=image)
    theirs, ours = (library.ConvTranspose2d(6, 4, 3, **options) for library in (torch.nn, nn))
    assert_same_layer(theirs, ours, x, output_size=[rows, columns])
    assert ours(as_ours(x), output_size=(9, 9, rows, columns)).shape == (4, 4, rows, columns)
    theirs, ours = (library.ConvTranspose1d(6, 4, 3, stride=3) for library in (torch.nn, nn))
    assert_same_layer(theirs, ours, x[:, :, 0], output_size=[rows])
    for size in ([17, 22], [21, 22], [18, 25], [18]):
        with pytest.raises(ValueError, match=r"output_size must be from \(18, 21\) to \(20, 24\)"):
            nn.ConvTranspose2d(6, 4, 3, **options)(minidl.zeros(*image), output_size=size)
    with pytest.raises(TypeError, match=r"output_size must be a tuple of integers, .* got \(18.5, 21\)"):
        nn.ConvTranspose2d(6, 4, 3, **options)(minidl.zeros(*image), output_size=(18.5, 21))


def test_binary_cross_entropy():
    p = np.random.default_rng(2).uniform(size=(5, 6))
    theirs, ours = as_torch(p), as_ours(p)
    loss = torch.nn.BCELoss(weight=torch.tensor(WEIGHTS))(theirs, torch.from_numpy(PROBABILITIES))
    our_loss = nn.BCELoss(weight=WEIGHTS)(ours, minidl.Tensor(PROBABILITIES))
    assert_close(our_loss, loss, 1e-10, "loss")
    loss.backward()
    our_loss.backward()
    assert_close(ours.grad, theirs.grad, 1e-10, "gradient")


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_embedding(padding_idx):
    indices = np.array([[0, 2, 2, 6], [6, 1, 0, 2]])
    theirs = torch.nn.Embedding(7, 3, padding_idx=padding_idx)
    ours = nn.Embedding(7, 3, padding_idx=padding_idx)
    starts_as_zeros = (ours.weight.numpy() == 0).all(axis=1).tolist()
    assert starts_as_zeros == (theirs.weight == 0).all(dim=1).tolist()
    assert_same_layer(theirs, ours, indices)


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_embedding_bag(mode):
    theirs, ours = torch.nn.EmbeddingBag(7, 3, mode=mode), nn.EmbeddingBag(7, 3, mode=mode)
    assert_same_layer(theirs, ours, np.array([0, 2, 2, 6, 1, 0]), np.array([0, 0, 3, 5]))
    theirs.zero_grad()
    ours.zero_grad()
    assert_same_layer(theirs, ours, np.array([[0, 2], [2, 6]]))
    assert (ours(np.zeros((4, 0), int)).numpy() == np.zeros((4, 3))).all()  # bags without an index


def test_embedding_from_pretrained():
    vectors, indices = np.random.default_rng(3).normal(size=(7, 3)), np.array([[0, 2, 2, 6]])
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(vectors), freeze=False, padding_idx=-1)
    ours = nn.Embedding.from_pretrained(minidl.tensor(vectors), freeze=False, padding_idx=-1)
    assert repr(theirs) == repr(ours)
    assert_close(ours(minidl.tensor(indices)), theirs(torch.tensor(indices)), 0, "output before any weight is copied")
    assert_same_layer(theirs, ours, indices)
    assert not nn.Embedding.from_pretrained(minidl.tensor(vectors)).weight.requires_grad
    with pytest.raises(ValueError, match=r"embeddings must be \(V, D\), got shape \(3,\)"):
        nn.Embedding.from_pretrained(minidl.zeros(3))


def test_prelu_at_zero_and_at_infinity():
    assert_same_layer(torch.nn.PReLU(), nn.PReLU(), np.array([0.0, -0.0, 1.0, -2.0]))  # the slope at 0 is the weight
    assert_same_layer(torch.nn.PReLU(), nn.PReLU(), np.array([np.inf, 1.0, -2.0]))


@pytest.mark.parametrize("bias", [True, False])
def test_bilinear(bias):
    x1, x2 = np.random.default_rng(3).normal(size=(2, 4, 3)), np.random.default_rng(4).normal(size=(2, 4, 5))
    assert_same_layer(torch.nn.Bilinear(3, 5, 2, bias=bias), nn.Bilinear(3, 5, 2, bias=bias), x1, x2)
    assert abs(nn.Bilinear(4, 9, 30).weight.detach().numpy()).max() == pytest.approx(0.5, abs=0.01)
    assert repr(nn.Bilinear(3, 5, 2, bias)) == repr(torch.nn.Bilinear(3, 5, 2, bias))


def test_cosine_similarity():
    x1, x2 = np.random.default_rng(3).normal(size=(2, 4, 3, 5))
    assert_same_layer(torch.nn.CosineSimilarity(2), nn.CosineSimilarity(2), x1, x2)


@pytest.mark.parametrize("options", [{}, {"p": 1.0, "eps": 1e-2, "keepdim": True}])
def test_pairwise_distance(options):
    x1, x2 = np.random.default_rng(3).normal(size=(2, 4, 5))
    assert_same_layer(torch.nn.PairwiseDistance(**options), nn.PairwiseDistance(**options), x1, x2)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_of_vectors(reduction):
    anchor, positive, negative = np.random.default_rng(4).normal(size=(3, 6, 5))
    options = {"margin": 0.8, "p": 3.0, "eps": 1e-3, "swap": True, "reduction": reduction}
    theirs, ours = torch.nn.TripletMarginLoss(**options), nn.TripletMarginLoss(**options)
    assert_same_layer(theirs, ours, anchor, positive, negative)
    options, target = {"margin": 0.3, "reduction": reduction}, np.array([1, -1, -1, 1, -1, 1])
    theirs, ours = torch.nn.CosineEmbeddingLoss(**options), nn.CosineEmbeddingLoss(**options)
    assert_same_layer(theirs, ours, anchor, positive, target)
    theirs, ours = torch.nn.MarginRankingLoss(**options), nn.MarginRankingLoss(**options)
    assert_same_layer(theirs, ours, anchor[0], positive[0], target[:5])


def test_two_batches_move_the_statistics_as_in_pytorch():
    theirs, ours = torch.nn.BatchNorm1d(3, momentum=None).double(), nn.BatchNorm1d(3, momentum=None).double()
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=(5, 3))
        theirs(torch.from_numpy(x))
        ours(minidl.Tensor(x))
    for name, buffer in theirs.named_buffers():
        assert_close(dict(ours.named_buffers())[name], buffer, 1e-12, name)


def test_every_layer_is_compared():
    compared = {kind for kind, *_ in LAYERS} | {kind for kind, *_ in LOSSES} | SHOWN_ELSEWHERE
    layers = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    assert layers <= compared, f"no test compares {layers - compared} with PyTorch"


@pytest.mark.parametrize(
    ("kind", "arguments"), [(kind, arguments) for kind, arguments, options, _ in LAYERS if not options], ids=str
)
def test_initial_values_have_the_spread_of_pytorch(kind, arguments):
    torch.manual_seed(0)
    minidl.manual_seed(0)
    larger = tuple(40 * a if isinstance(a, int) else a for a in arguments[:2]) + arguments[2:]
    arguments = larger if kind in ("Linear", "Conv1d", "Conv2d", "ConvTranspose2d") else arguments
    theirs, ours = make(torch.nn, kind, arguments, {}), make(nn, kind, arguments, {})
    found = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        expected, values = parameter.detach().numpy(), found[name].numpy()
        assert abs(values).max() == pytest.approx(abs(expected).max(), rel=0.05, abs=1e-12)
        if expected.size > 1000:
            assert values.std() == pytest.approx(expected.std(), rel=0.05)


@pytest.mark.parametrize(("kind", "arguments", "options", "shape"), LAYERS, ids=str)
def test_arguments_have_the_names_of_pytorch(kind, arguments, options, shape):
    theirs = list(inspect.signature(getattr(torch.nn, kind).__init__).parameters)
    ours = list(inspect.signature(getattr(nn, kind).__init__).parameters)
    if kind == "Identity":
        return  # takes anything there, nothing here
    assert ours == [name for name in theirs if name in ours]
