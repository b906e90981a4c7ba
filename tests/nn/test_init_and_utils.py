"""Initial values and the clipping of gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minidl
from minidl import nn


def new(*shape, dtype="f4"):
    return minidl.Tensor(np.full(shape, np.nan, dtype), requires_grad=True)


@pytest.mark.parametrize(
    ("initialize", "deviation", "bound"),
    [
        (lambda w: nn.init.uniform_(w, -2, 4), 6 / 12**0.5, 4),
        (lambda w: nn.init.normal_(w, 0, 0.5), 0.5, None),
        (lambda w: nn.init.xavier_uniform_(w, gain=2), 2 * (2 / (540 + 180)) ** 0.5, 2 * (6 / 720) ** 0.5),
        (lambda w: nn.init.xavier_normal_(w), (2 / 720) ** 0.5, None),
        (lambda w: nn.init.kaiming_uniform_(w), (2 / 540) ** 0.5, (6 / 540) ** 0.5),
        (lambda w: nn.init.kaiming_uniform_(w, a=math.sqrt(5)), (1 / 540 / 3) ** 0.5, 540**-0.5),
        (lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"), (2 / 180) ** 0.5, None),
        (lambda w: nn.init.kaiming_normal_(w, nonlinearity="tanh"), 5 / 3 / 540**0.5, None),
    ],
)
def test_spread(initialize, deviation, bound):
    minidl.manual_seed(3)
    w = new(20, 60, 3, 3)  # fan_in 540, fan_out 180
    assert initialize(w) is w
    values = w.numpy()
    assert w.dtype == np.float32
    assert w.requires_grad
    assert values.std() == pytest.approx(deviation, rel=0.02)
    if bound is not None:
        assert 0.99 * bound < values.max() <= bound * (1 + 1e-6)


def test_the_gains_are_pytorchs():
    of_torch = pytest.importorskip("torch").nn.init.calculate_gain
    for name in (*nn.init.GAINS, "leaky_relu"):
        assert nn.init.calculate_gain(name) == pytest.approx(of_torch(name))
    assert nn.init.calculate_gain("leaky_relu", 3) == pytest.approx(of_torch("leaky_relu", 3))
    with pytest.raises(ValueError, match="nonlinearity must be leaky_relu, relu, tanh, selu, .*, got 'gelu'"):
        nn.init.calculate_gain("gelu")


def test_constants():
    w = new(2, 3)
    assert (nn.init.zeros_(w) == 0).all()
    assert (nn.init.ones_(w) == 1).all()
    assert (nn.init.constant_(w, 0.25) == 0.25).all()


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5), (4, 3, 2, 2)])
def test_orthogonal(shape):
    w = nn.init.orthogonal_(new(*shape, dtype="f8"), gain=3).numpy().reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-12)


def test_the_seed_decides():
    def draw(seed):
        minidl.manual_seed(seed)
        return nn.Linear(3, 4).weight.numpy()

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()


def with_gradients():
    ws = [minidl.Tensor(np.zeros(shape), requires_grad=True) for shape in ((3, 2), (4,), (2,))]
    random = np.random.default_rng(0)
    for w in ws[:2]:
        w.grad = minidl.Tensor(random.normal(size=w.shape))
    return ws, np.concatenate([w.grad.numpy().ravel() for w in ws[:2]])


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf, -math.inf])
@pytest.mark.parametrize("part", [0.3, 1.0, 2.0])
def test_clip_grad_norm(norm_type, part):
    ws, before = with_gradients()
    norm = np.linalg.norm(before, norm_type)
    returned = nn.utils.clip_grad_norm_(ws, part * norm, norm_type)
    assert float(returned) == pytest.approx(norm)
    after = np.concatenate([w.grad.numpy().ravel() for w in ws[:2]])
    np.testing.assert_allclose(after, before * min(1, part), rtol=1e-5)
    assert ws[2].grad is None


def test_a_norm_of_at_most_0_leaves_nothing():
    ws, before = with_gradients()
    assert float(nn.utils.clip_grad_norm_(ws, 0)) == pytest.approx(np.linalg.norm(before))
    assert all(not w.grad.numpy().any() for w in ws[:2])


def test_norm_0_counts_the_gradients_that_are_not_0():
    ws, before = with_gradients()
    ws[1].grad = minidl.zeros(4).double()
    assert float(nn.utils.clip_grad_norm_(ws, 0.5, 0)) == 1
    np.testing.assert_allclose(ws[0].grad.numpy().ravel(), before[:6] / 2, rtol=1e-5)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_no_norm_hides_a_nan(norm_type, place):
    ws, _ = with_gradients()
    ws[place].grad.data.flat[1] = np.nan
    assert math.isnan(float(nn.utils.clip_grad_norm_(ws, 1.0, norm_type)))


def test_clipping_keeps_gradients_of_0_and_divides_small_ones_as_pytorch():
    w = minidl.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    for grad, max_norm, expected in (([0.0, 0.0], 0.0, [0.0, 0.0]), ([3e-6, 4e-6], 1e-6, [3e-6 / 6, 4e-6 / 6])):
        w.grad = minidl.tensor(grad, dtype="float64")
        nn.utils.clip_grad_norm_(w, max_norm)
        np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("clip", [nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_])
def test_what_is_no_list_of_parameters_is_named(clip):
    model = nn.Sequential(nn.Linear(2, 2))
    for parameters, text in (
        (model, r"an iterable of Tensors, got one Sequential; of a module write model.parameters\(\)"),
        (5, "an iterable of Tensors, got one int"),
        (model.named_parameters(), "parameters must hold Tensors, got tuple"),
    ):
        with pytest.raises(TypeError, match=text):
            clip(parameters, 1.0)


def test_recorded_gradients_are_clipped():
    w = minidl.tensor([1.0, 2.0], requires_grad=True)
    (w**3).sum().backward(create_graph=True)
    nn.utils.clip_grad_norm_(w, 1.0)
    assert float(w.grad.detach().norm()) == pytest.approx(1)
    nn.utils.clip_grad_value_(w, 0.1)
    assert w.grad.tolist() == pytest.approx([0.1, 0.1])


def test_clip_grad_value():
    ws, before = with_gradients()
    nn.utils.clip_grad_value_(ws, 0.4)
    after = np.concatenate([w.grad.numpy().ravel() for w in ws[:2]])
    np.testing.assert_array_equal(after, before.clip(-0.4, 0.4))


def test_clip_grad_value_writes_into_the_gradients_and_tells_the_engine():
    w, v = (minidl.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    (w**3).sum().backward()
    grad, memory = w.grad, w.grad.data
    y = (grad * v).sum()
    nn.utils.clip_grad_value_(w, 5.0)
    assert w.grad is grad and grad.data is memory and memory.tolist() == [3, 5]
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
    w.grad = minidl.ones(1).expand(2)
    with pytest.raises(RuntimeError, match="read-only memory"):
        nn.utils.clip_grad_value_(w, 0.5)


def test_clipping_takes_a_generator_or_a_single_tensor():
    model = nn.Linear(2, 2)
    model(minidl.Tensor(np.ones((1, 2), "f4"))).sum().backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    total = math.sqrt(sum(float((p.grad * p.grad).sum()) for p in model.parameters()))
    assert total == pytest.approx(1e-3, rel=1e-2)
    nn.utils.clip_grad_value_(model.weight, 1e-5)
    assert float(model.weight.grad.abs().max()) <= 1e-5
    assert float(nn.utils.clip_grad_norm_([], 1.0)) == 0
    with pytest.raises(ValueError, match="max_norm must not be negative, got -1.0"):
        nn.utils.clip_grad_norm_(model.parameters(), -1.0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.init.xavier_uniform_(new(3)), r"two dimensions.*\(3,\)"),
        (lambda: nn.init.orthogonal_(new(3)), r"two dimensions.*\(3,\)"),
        (lambda: nn.init.kaiming_normal_(new(3, 3), mode="fan"), "'fan'"),
        (lambda: nn.init.kaiming_normal_(new(3, 3), nonlinearity="cube"), "'cube'"),
    ],
)
def test_wrong_calls(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_is_an_error_if_asked(value):
    w = minidl.tensor([1.0, 2.0], requires_grad=True)
    w.grad = minidl.tensor([3.0, value])
    with pytest.raises(RuntimeError, match=f"the norm of the gradients is {value}"):
        nn.utils.clip_grad_norm_(w, 1.0, error_if_nonfinite=True)
    assert w.grad[0] == 3  # nothing was changed
    w.grad = minidl.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm_(w, 1.0, error_if_nonfinite=True) == 5


def test_arrays_are_written_in_place():
    """As PyTorch programs write it: ``nn.init.normal_(layer.weight.data)``."""
    layer = nn.Linear(20, 30)
    for initialize in (nn.init.xavier_uniform_, nn.init.kaiming_normal_, nn.init.orthogonal_, nn.init.ones_):
        layer.weight.data[...] = np.nan
        assert initialize(layer.weight.data) is layer.weight.data
        assert np.isfinite(layer.weight.numpy()).all() and layer.weight.numpy().any()


def test_layers_of_no_inputs_and_of_sizes_that_make_no_sense():
    assert nn.Linear(0, 2)(minidl.zeros(3, 0)).shape == (3, 2)
    assert nn.Conv2d(0, 1, 3).weight.shape == (1, 0, 3, 3)
    for make in (lambda: nn.Linear(-1, 2), lambda: nn.BatchNorm2d(-1), lambda: nn.Linear(2.5, 1)):
        with pytest.raises(ValueError, match="sizes of a layer must be integers from 0 up"):
            make()
    with pytest.raises(ValueError, match="padding must be.*'full'"):
        nn.Conv2d(1, 2, 3, padding="full")
    with pytest.raises(ValueError, match="padding='same' needs stride 1"):
        nn.Conv2d(1, 2, 3, padding="same", stride=2)


@pytest.mark.parametrize("layer", [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU])
def test_activations_take_inplace_and_overwrite_nothing(layer):
    x = minidl.tensor([-1.0, 2.0])
    np.testing.assert_array_equal(layer(inplace=True)(x).numpy(), layer()(x).numpy())
    assert x.tolist() == [-1.0, 2.0]


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0, 1, -2, 2), (0.5, 0.3, 0.4, 1.5), (0, 0.02, -2, 2), (3, 1, -1, 1)]
)
def test_trunc_normal_is_the_normal_distribution_between_its_bounds(mean, std, a, b):
    truncnorm = pytest.importorskip("scipy.stats").truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    minidl.manual_seed(0)
    x = nn.init.trunc_normal_(minidl.zeros(100, 400), mean, std, a, b).numpy()
    assert a <= x.min() and x.max() <= b
    assert abs(x.mean() - truncnorm.mean()) < 5 * truncnorm.std() / 200
    assert x.std() == pytest.approx(truncnorm.std(), rel=0.02)
    for q in (0.1, 0.5, 0.9):
        assert (x < truncnorm.ppf(q)).mean() == pytest.approx(q, abs=0.01)


def test_bounds_in_the_wrong_order_and_a_negative_deviation_are_refused():
    with pytest.raises(ValueError, match="a must be at most b, got 1 and 0"):
        nn.init.uniform_(minidl.empty(3), 1, 0)
    with pytest.raises(ValueError, match="std must not be negative, got -1"):
        nn.init.normal_(minidl.empty(3), std=-1)


def test_trunc_normal_refuses_bounds_that_hardly_a_number_keeps():
    for a, b in ((5, 6), (1, -1), (0.0, 0.001)):
        with pytest.raises(ValueError, match=f"of mean 0.0 and std 1.0, got {a} and {b}"):
            nn.init.trunc_normal_(minidl.zeros(3), a=a, b=b)
    assert abs(nn.init.trunc_normal_(minidl.tensor(9.0)).item()) <= 2
    assert nn.init.trunc_normal_(minidl.zeros(3), a=2.32, b=9.0).numpy().min() >= 2.32  # P(x > 2.3263) = 0.01
    with pytest.raises(ValueError, match="a and b must hold a hundredth"):
        nn.init.trunc_normal_(minidl.zeros(3), a=2.33, b=9.0)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_sequences_are_padded_as_in_pytorch(batch_first, side):
    torch = pytest.importorskip("torch")
    arrays = [np.random.default_rng(i).normal(size=(n, 2)) for i, n in enumerate((3, 0, 5, 1))]
    options = dict(batch_first=batch_first, padding_value=7.0, padding_side=side)
    theirs, ours = (
        [torch.tensor(x, requires_grad=True) for x in arrays],
        [minidl.tensor(x, requires_grad=True) for x in arrays],
    )
    expected = torch.nn.utils.rnn.pad_sequence(theirs, **options)
    padded = nn.utils.rnn.pad_sequence(ours, **options)
    np.testing.assert_array_equal(padded.numpy(), expected.detach().numpy())
    (expected**2).sum().backward()
    (padded**2).sum().backward()
    for x, other in zip(ours, theirs):
        np.testing.assert_array_equal(x.grad.numpy(), other.grad.numpy())


def test_what_can_not_be_padded():
    for sequences, options, text in (
        ([], {}, r"sequences must hold tensors \(T, ...\), got \[\]"),
        ([minidl.tensor([1]), minidl.tensor(1)], {}, r"sequences must hold tensors.*\[\(1,\), \(\)\]"),
        ([minidl.tensor([1])], {"padding_side": "top"}, "padding_side must be 'right' or 'left', got 'top'"),
        ([minidl.tensor([[1]]), minidl.tensor([[1, 2]])], {}, r"\(1, 2\).*\(1, 1\)"),
    ):
        with pytest.raises(ValueError, match=text):
            nn.utils.rnn.pad_sequence(sequences, **options)


def test_sizes_of_convolutions_are_checked_by_their_names():
    layer = nn.Conv1d(2, 4, (3,), stride=(2,), padding=(1,), dilation=[1])
    assert layer(minidl.zeros(1, 2, 10)).shape == (1, 4, 5) and layer.weight.shape == (4, 2, 3)
    for arguments, error, message in (
        ((2, 3, (3, 3)), TypeError, r"kernel_size must be an integer, got \(3, 3\)"),
        ((2, 3, 3, 1.5), TypeError, "stride must be an integer, got 1.5"),
        ((2, 3, 3, 0), ValueError, "stride must be at least 1, got 0"),
        ((2, 3, 3, 1, -1), ValueError, "padding must be at least 0, got -1"),
        ((2.0, 3, 3), ValueError, "in_channels must be an integer from 0 up, got 2.0"),
        ((2, -3, 3), ValueError, "out_channels must be an integer from 0 up, got -3"),
    ):
        with pytest.raises(error, match=message):
            nn.Conv1d(*arguments)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_does_not_count_a_batch_that_it_refuses(momentum):
    layer = nn.BatchNorm1d(3, momentum=momentum)
    with pytest.raises(ValueError, match="more than one number a channel"):
        layer(minidl.zeros(1, 3))
    assert layer.num_batches_tracked.item() == 0
    layer(minidl.tensor([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]))
    assert layer.num_batches_tracked.item() == 1
    assert np.allclose(layer.running_mean.numpy(), np.array([2, 3, 4]) * (momentum or 1))


def test_a_vector_of_all_parameters_and_back():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False))
    vector = nn.utils.parameters_to_vector(model.parameters())
    np.testing.assert_array_equal(vector.numpy(), np.concatenate([p.numpy().ravel() for p in model.parameters()]))
    (vector * vector).sum().backward()
    np.testing.assert_allclose(model[0].weight.grad.numpy(), 2 * model[0].weight.numpy())
    nn.utils.vector_to_parameters(minidl.arange(12.0), model.parameters())
    np.testing.assert_array_equal(model[1].weight.numpy(), [[9, 10, 11]])
    with pytest.raises(ValueError, match=r"the 12 numbers of the parameters, got shape \(13,\)"):
        nn.utils.vector_to_parameters(minidl.zeros(13), model.parameters())
    with pytest.raises(ValueError, match="parameters is empty, so there is no vector of them"):
        nn.utils.parameters_to_vector(nn.ReLU().parameters())


def test_dirac():
    torch = pytest.importorskip("torch")
    for shape, groups in (((4, 2, 3), 2), ((2, 3, 4, 5), 1), ((6, 1, 1, 2), 3), ((2, 2, 3, 3, 3), 1)):
        expected = torch.nn.init.dirac_(torch.ones(shape), groups).numpy()
        np.testing.assert_array_equal(nn.init.dirac_(minidl.ones(*shape), groups).numpy(), expected)
    for shape, groups in (((2, 2), 1), ((3, 2, 3), 2), ((3, 2, 3), 0)):
        with pytest.raises(ValueError, match=rf"got shape \({shape[0]}, .* and groups={groups}"):
            nn.init.dirac_(minidl.ones(*shape), groups)


def test_eye():
    np.testing.assert_array_equal(nn.init.eye_(minidl.ones(2, 3)).numpy(), np.eye(2, 3))
    with pytest.raises(ValueError, match="needs a matrix"):
        nn.init.eye_(minidl.ones(2))


@pytest.mark.parametrize(
    "layer, fan_in",
    [(nn.Linear(1, 5000), 1), (nn.Linear(4, 5000), 4), (nn.Conv2d(6, 5000, (1, 3), groups=2), 9)],
    ids=lambda value: type(value).__name__,
)
def test_weights_and_biases_start_evenly_between_the_bounds_of_pytorch(layer, fan_in):
    for parameter in layer.parameters():
        share = parameter.numpy() * np.sqrt(fan_in)  # from -1 to 1
        assert share.min() < -0.99 and share.max() > 0.99 and np.abs(share).max() < 1 + 1e-6
        assert abs(share.mean()) < 0.05 and share.std() == pytest.approx(1 / np.sqrt(3), rel=0.05)
