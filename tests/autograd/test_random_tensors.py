"""Random tensors: their distributions, dtypes and seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import tensor


def test_random_tensors_follow_the_seed():
    def draw():
        minidl.manual_seed(5)
        return [
            F.rand(3, 2),
            F.randn(1000),
            F.randint(2, 5, (100,)),
            F.rand_like(tensor([1.0])),
            F.randn_like(tensor([1.0])),
        ]

    first, second = draw(), draw()
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    uniform, normal, integers, *_ = first
    assert uniform.dtype == normal.dtype == np.float32 and 0 <= uniform.min().item() < uniform.max().item() < 1
    assert abs(normal.mean().item()) < 0.1 and abs(normal.std().item() - 1) < 0.1
    assert set(integers.tolist()) == {2, 3, 4}
    assert F.randn(2, requires_grad=True).requires_grad


def test_random_numbers_have_the_bits_of_their_dtype():
    """float32 draws 24 bits, the same as ever; float64 draws 53; no uniform number is rounded up to 1."""
    for draw, name in ((F.rand, "random"), (F.randn, "standard_normal")):
        for dtype in (np.float32, np.float64):
            minidl.manual_seed(5)
            stream = np.random.Generator(np.random.Philox(key=np.array([5, 0], np.uint64)))
            np.testing.assert_array_equal(draw(3, 2, dtype=dtype).numpy(), getattr(stream, name)((3, 2), dtype=dtype))
    minidl.manual_seed(5)
    assert (F.rand(1000, dtype=np.float64).numpy() * 2**24 % 1 != 0).mean() > 0.99
    for dtype in (np.float16, np.float32, np.float64):
        x = F.rand(100_000, dtype=dtype)
        assert x.dtype == dtype and 0.999 < x.max().item() < 1
    assert F.rand().shape == F.randn().shape == ()


def test_randint_takes_pytorchs_two_forms():
    assert minidl.randint(10, (3,)).shape == minidl.randint(0, 10, (3,)).shape == minidl.randint(10, size=(3,)).shape
    assert minidl.randint(10, (3,), dtype=np.int32).dtype == np.int32
    assert minidl.randint(255, 256, (3,), dtype=np.uint8).tolist() == [255] * 3


@pytest.mark.parametrize("draw", [F.rand_like, F.randn_like])
def test_random_tensors_have_the_dtype_of_another_or_a_given_one(draw):
    x = draw(tensor(np.ones((2, 3))))
    assert x.shape == (2, 3) and x.dtype == np.float64 and not x.requires_grad
    assert draw(x, dtype=np.float32).dtype == np.float32


def test_randperm_holds_every_number_once_in_orders_that_are_equally_likely():
    minidl.manual_seed(0)
    x = minidl.randperm(100)
    assert x.dtype == np.int64 and sorted(x.tolist()) == list(range(100)) != x.tolist()
    assert minidl.randperm(0).shape == (0,) and minidl.randperm(2, dtype=np.int32).dtype == np.int32
    orders = [tuple(minidl.randperm(3).tolist()) for _ in range(3000)]
    assert all(abs(orders.count(order) - 500) < 5 * 500**0.5 for order in itertools.permutations(range(3)))
    with pytest.raises(ValueError, match="n must not be negative, got -1"):
        minidl.randperm(-1)


def test_multinomial_draws_by_weight():
    minidl.manual_seed(0)
    p = np.array([[0.1, 0.0, 0.6, 0.3], [0.0, 1.0, 0.0, 0.0]])
    drawn = minidl.tensor(7 * p).multinomial(20_000, replacement=True).numpy()
    assert drawn.dtype == np.int64 and drawn.shape == (2, 20_000)
    for row, expected in zip(drawn, p):
        found = np.bincount(row, minlength=4) / 20_000
        assert (found[expected == 0] == 0).all() and np.abs(found - expected).max() < 0.02


def test_multinomial_without_replacement_draws_one_after_the_other():
    minidl.manual_seed(0)
    p = np.array([0.1, 0.0, 0.6, 0.3])
    pairs = minidl.tensor(np.tile(p, (20_000, 1))).multinomial(2).numpy()
    for i, j in itertools.permutations((0, 2, 3), 2):  # P(i, then j) = p[i] * p[j] / (1 - p[i])
        found = ((pairs[:, 0] == i) & (pairs[:, 1] == j)).mean()
        assert abs(found - p[i] * p[j] / (1 - p[i])) < 0.02
    assert sorted(minidl.tensor(p).multinomial(3).tolist()) == [0, 2, 3]
    assert minidl.tensor([0.0, 1.0]).multinomial(1).tolist() == [1]


@pytest.mark.parametrize(
    ("weights", "count", "error", "message"),
    [
        ([1, 2], 1, TypeError, "floats .* got int64"),
        ([[[1.0]]], 1, TypeError, "of shape"),
        ([2.0, -1.0], 1, ValueError, r"not negative.* got \[ 2. -1.\]"),
        ([[1.0, 0.0], [0.0, 0.0]], 1, ValueError, r"not 0; got \[0. 0.\]"),
        ([1.0, np.nan], 1, ValueError, "finite"),
        ([1.0, 0.0, 1.0], 3, ValueError, "num_samples must be from 1 to 2, got 3"),
        ([1.0], 0, ValueError, "num_samples must be from 1"),
    ],
)
def test_multinomial_refuses_what_are_no_weights(weights, count, error, message):
    with pytest.raises(error, match=message):
        minidl.tensor(weights).multinomial(count)


def test_normal_and_bernoulli_draws_have_their_moments():
    minidl.manual_seed(0)
    x = minidl.normal(3.0, 0.5, (20_000,))
    assert x.dtype == np.float32 and abs(x.mean().item() - 3) < 0.02 and abs(x.std().item() - 0.5) < 0.02
    mean = minidl.tensor([[0.0], [100.0]], dtype="float64")
    y = minidl.normal(mean, minidl.tensor([1e-3, 0.0]))
    assert y.shape == (2, 2) and y.dtype == np.float64 and y[:, 1].tolist() == [0, 100] and (y[:, 0] - mean[:, 0]).any()
    p = minidl.full((20_000,), 0.3).requires_grad_()
    draws = p.bernoulli()
    assert not draws.requires_grad and abs(draws.mean().item() - 0.3) < 0.02
    assert set(draws.tolist()) == {0.0, 1.0}
    draws = minidl.empty(20_000, dtype=minidl.bool).bernoulli_(0.3)
    assert draws.dtype == bool and abs(draws.float().mean().item() - 0.3) < 0.02
    rows = minidl.empty(2, 20_000).bernoulli_(minidl.tensor([[0.1], [0.8]]))
    assert np.abs(rows.mean(1).numpy() - [0.1, 0.8]).max() < 0.02


def test_exponential_draws_have_their_distribution():
    minidl.manual_seed(0)
    x = minidl.empty(50_000, dtype="float64").exponential_(2.0)
    # P(x > t) = e^(-2t)
    assert (x > 0).all() and all(abs((x > t).float().mean().item() - np.exp(-2 * t)) < 0.01 for t in (0.1, 0.5, 1.0))


def test_gumbel_softmax_chooses_with_the_probabilities_of_the_softmax():
    minidl.manual_seed(0)
    x = minidl.tensor([0.0, 1.0, -1.0], requires_grad=True)
    hard = F.gumbel_softmax(x.expand(30_000, 3), tau=0.7, hard=True)
    np.testing.assert_allclose(hard.detach().mean(0).numpy(), x.softmax(0).detach().numpy(), atol=0.01)
    np.testing.assert_allclose(np.sort(hard.detach().numpy(), axis=1), np.tile([0, 0, 1], (30_000, 1)), atol=1e-6)
    minidl.manual_seed(1)
    soft = F.gumbel_softmax(x, tau=0.7)
    (soft * minidl.tensor([1.0, 2.0, 4.0])).sum().backward()
    gradient, x.grad = x.grad, None
    minidl.manual_seed(1)
    (F.gumbel_softmax(x, tau=0.7, hard=True) * minidl.tensor([1.0, 2.0, 4.0])).sum().backward()
    assert gradient.abs().sum() > 0.01 and x.grad.equal(gradient)  # the gradient of the softmax
    y = soft.detach()
    expected = (y * (minidl.tensor([1.0, 2.0, 4.0]) - (y * minidl.tensor([1.0, 2.0, 4.0])).sum())) / 0.7
    np.testing.assert_allclose(gradient.numpy(), expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: minidl.randint(3, 3, (2,)), ValueError, "randint needs low < high, got 3 and 3"),
        (lambda: minidl.randint(0, 257, (2,), dtype=np.uint8), ValueError, "randint: dtype .* 0 to 256, got uint8"),
        (lambda: minidl.randint(-1, 2, (2,), dtype=np.uint8), ValueError, "randint: dtype .* from -1 to 1, got uint8"),
        (lambda: minidl.randperm(257, dtype=np.uint8), ValueError, "randperm: dtype .* from 0 to 256, got uint8"),
        (lambda: minidl.normal(0.0, 1.0), TypeError, "needs a size"),
        (lambda: minidl.normal(minidl.zeros(2), 1.0, (2,)), TypeError, "needs a size"),
        (lambda: minidl.normal(minidl.zeros(2), minidl.ones(3)), ValueError, r"normal: .* mean \(2,\) and std \(3,\)"),
        (lambda: minidl.normal(0.0, -1.0, (2,)), ValueError, "std must not be negative, got -1.0"),
        (lambda: minidl.bernoulli(minidl.tensor([1])), TypeError, "must be probabilities, got int64"),
        (lambda: minidl.bernoulli(minidl.tensor([1.5])), ValueError, "from 0 to 1, got 1.5"),
        (lambda: minidl.bernoulli(minidl.tensor([float("nan")])), ValueError, "from 0 to 1, got nan"),
        (lambda: minidl.empty(2).bernoulli_(-0.5), ValueError, "from 0 to 1, got -0.5"),
        (lambda: minidl.empty(2).exponential_(0), ValueError, "lambd must be above 0, got 0"),
        (lambda: F.gumbel_softmax(minidl.zeros(2), tau=0), ValueError, "tau must be above 0, got 0"),
        (lambda: F.gumbel_softmax(minidl.tensor([1, 2])), TypeError, "floating point, got int64"),
    ],
)
def test_wrong_draws(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_random_numbers_like_those_of_a_tensor():
    x = minidl.zeros(2, 3)
    assert minidl.randn_like(x).shape == minidl.rand_like(x).shape == (2, 3)
