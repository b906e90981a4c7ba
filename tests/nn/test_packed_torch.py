"""Packed sequences beside PyTorch's: packing, recurrent layers over them, padding, and the gradients of it all."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

from .with_torch import torch

LENGTHS = {"sorted": [6, 4, 4, 1], "unsorted": [2, 6, 1, 4, 6], "equal": [3, 3], "one": [5]}


def padded(L, lengths, batch_first):
    shape = (len(lengths), 6, 3) if batch_first else (6, len(lengths), 3)
    return L.tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_packed_and_padded_again(lengths, batch_first):
    results = []
    for L in (torch, minidl):
        rnn, x = L.nn.utils.rnn, padded(L, lengths, batch_first)
        packed = rnn.pack_padded_sequence(x, L.tensor(lengths), batch_first, enforce_sorted=False)
        y, sizes = rnn.pad_packed_sequence(packed, batch_first, padding_value=-1.0, total_length=7)
        (y * y * y).sum().backward()
        order = packed.sorted_indices, packed.unsorted_indices
        results.append([packed.data, packed.batch_sizes, *order, y, sizes, x.grad])
    for theirs, ours in zip(*results):
        assert tuple(ours.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_unpacked(lengths):
    results = []
    for L in (torch, minidl):
        rnn, x = L.nn.utils.rnn, padded(L, lengths, True)
        packed = rnn.pack_padded_sequence(x, L.tensor(lengths), True, enforce_sorted=False)
        sequences = rnn.unpack_sequence(packed)
        sum((y * y).sum() for y in sequences).backward()
        results.append([*sequences, x.grad])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"num_layers": 2, "bias": False}])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("given", [False, True])
def test_recurrent_layers(kind, options, lengths, given):
    theirs = getattr(torch.nn, kind)(3, 4, batch_first=True, **options).double()
    ours = getattr(nn, kind)(3, 4, batch_first=True, **options).double()
    ours.load_state_dict({name: minidl.tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    results = []
    for L, model in ((torch, theirs), (minidl, ours)):
        rnn, x = L.nn.utils.rnn, padded(L, lengths, True)
        packed = rnn.pack_padded_sequence(x, L.tensor(lengths), True, enforce_sorted=False)
        layers = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
        h0 = L.tensor(np.random.default_rng(1).normal(size=(layers, len(lengths), 4)), requires_grad=True)
        y, final = model(packed, (((h0, h0 * 2) if kind == "LSTM" else h0) if given else None))
        y, sizes = rnn.pad_packed_sequence(y, batch_first=True)
        final = final if kind == "LSTM" else (final,)
        weights = np.random.default_rng(2)
        sum((part * L.tensor(weights.normal(size=tuple(part.shape)))).sum() for part in (y, *final)).backward()
        gradients = [x.grad, *([h0.grad] if given else []), *(parameter.grad for parameter in model.parameters())]
        results.append([y, sizes, *final, *gradients])
    for expected, got in zip(*results, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-11)


def test_padding_changes_nothing():
    """The states of a short sequence in a batch are those that it has alone."""
    lstm, x = nn.LSTM(3, 4, bidirectional=True), minidl.randn(5, 2, 3)
    y, (h, c) = lstm(pack_padded_sequence(x, [5, 2]))
    y, lengths = pad_packed_sequence(y)
    alone, (h_alone, c_alone) = lstm(x[:2, 1:])
    np.testing.assert_allclose(y[:2, 1:].detach().numpy(), alone.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(h[:, 1:].detach().numpy(), h_alone.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(c[:, 1:].detach().numpy(), c_alone.detach().numpy(), atol=1e-6)
    assert (y[2:, 1] == 0).all() and lengths.tolist() == [5, 2]


def test_a_packed_sequence():
    packed = pack_sequence([minidl.tensor([1.0]), minidl.tensor([2.0, 3.0])], enforce_sorted=False)
    data, sizes, order, back = packed
    assert data.tolist() == [2, 1, 3] and sizes.tolist() == [2, 1] and order.tolist() == back.tolist() == [1, 0]
    assert packed.to(minidl.float64).data.dtype == minidl.float64 and isinstance(packed.to("cpu"), PackedSequence)
    x = minidl.randn(3, 2, 1).double().requires_grad_()
    gru = nn.GRU(1, 2).double()
    minidl.gradgradcheck(lambda x: gru(pack_padded_sequence(x, [3, 1]))[0].data, [x], atol=1e-6)


def test_arrays_are_packed_as_tensors_are():
    x, lstm = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32), nn.LSTM(3, 4, bidirectional=True)
    packed = pack_padded_sequence(x, [2, 4], enforce_sorted=False)
    padded, lengths = pad_packed_sequence(packed)
    x[2:, 0] = 0  # behind the end of the shorter one
    np.testing.assert_array_equal(padded.numpy(), x)
    assert lengths.tolist() == [2, 4]
    (y, _), (expected, _) = (lstm(part) for part in (packed, packed._replace(data=minidl.tensor(packed.data))))
    np.testing.assert_array_equal(y.data.detach().numpy(), expected.data.detach().numpy())


X = minidl.zeros(4, 2, 3)
WRONG = [
    (
        lambda: pack_padded_sequence(X, [2, 4]),
        ValueError,
        r"longest sequence first, got \[2, 4\]; write",
    ),
    (lambda: pack_padded_sequence(X, [4, 0]), ValueError, r"from 1 to the 4 steps .*got \[4, 0\]"),
    (lambda: pack_padded_sequence(X, [5, 1]), ValueError, r"from 1 to the 4 steps .*got \[5, 1\]"),
    (lambda: pack_padded_sequence(X, [4]), TypeError, r"lengths must be 2 integers, .*got \[4\]"),
    (lambda: pack_padded_sequence(X, [4.0, 2.0]), TypeError, "lengths must be 2 integers"),
    (lambda: pack_padded_sequence(X[:, :0], []), ValueError, r"input must be \(T, N, \.\.\.\), .*, got \(4, 0, 3\)"),
    (lambda: pack_padded_sequence(X[:0], [0, 0]), ValueError, r"a step and a sequence at least, got \(0, 2, 3\)"),
    (lambda: pack_padded_sequence(X[0, 0], [1], True), ValueError, r"input must be \(N, T, \.\.\.\), .*, got \(3,\)"),
    (lambda: pack_padded_sequence([[1, 2]], [1]), ValueError, r"input must be .*, got \[\[1, 2\]\]"),
    (lambda: pad_packed_sequence(pack_padded_sequence(X, [4, 2]), total_length=3), ValueError, "at least 4, .*got 3"),
    (lambda: nn.LSTM(5, 2)(pack_padded_sequence(X, [4, 2])), ValueError, r"data \(rows, 5\), got shape \(6, 3\)"),
    (
        lambda: nn.GRU(3, 2)(pack_padded_sequence(X, [4, 2]), minidl.zeros(1, 3, 2)),
        ValueError,
        r"h0 must have shape \(1, 2, 2\) for this x, got \(1, 3, 2\)",
    ),
]

ROWS = minidl.zeros(4, 3)
MADE_BY_HAND = [
    (lambda: PackedSequence(ROWS, [2, 1]), ValueError, r"data must have 3 rows, .* \[2, 1\], got shape \(4, 3\)"),
    (lambda: PackedSequence(None, [2, 2]), ValueError, "data must have 4 rows, .* got None"),
    (lambda: PackedSequence(ROWS, [1, 3]), ValueError, r"from 1 up that do not rise, got \[1, 3\]"),
    (lambda: PackedSequence(ROWS, [2, 2, 0]), ValueError, r"from 1 up .* got \[2, 2, 0\]"),
    (lambda: PackedSequence(ROWS, minidl.zeros(0, dtype="int64")), ValueError, r"from 1 up .* got \[\]"),
    (lambda: PackedSequence(ROWS, [2.0, 2.0]), TypeError, r"batch_sizes must be integers .*float32 of shape \(2,\)"),
    (lambda: PackedSequence(ROWS, 4), TypeError, r"batch_sizes must be integers of one axis, .* shape \(\)"),
    (lambda: PackedSequence(ROWS, [2, 2], [0, 2]), ValueError, r"sorted_indices must hold each of the 2 .* \[0, 2\]"),
    (lambda: PackedSequence(ROWS, [2, 2], None, [0]), ValueError, r"unsorted_indices must hold each .* got \[0\]"),
    (lambda: PackedSequence(ROWS, [4], [1, 2, 3, 0], [1, 2, 3, 0]), ValueError, r"must lead back from sorted_indices"),
]


def test_one_made_by_hand_is_what_the_functions_make():
    made = pack_sequence([minidl.tensor(x) for x in ([1.0], [2.0, 3.0], [4.0, 5.0, 6.0])], enforce_sorted=False)
    for rest in ([[2, 1, 0]], [minidl.tensor([2, 1, 0]), [2, 1, 0]], [None, np.array([2, 1, 0])]):
        by_hand = PackedSequence(made.data, made.batch_sizes.tolist(), *rest)
        assert [x.tolist() for x in by_hand] == [x.tolist() for x in made]
    theirs = torch.nn.utils.rnn.PackedSequence(torch.zeros(4), torch.tensor([3, 1]), torch.tensor([2, 0, 1]))
    assert PackedSequence(ROWS, [3, 1], [2, 0, 1]).unsorted_indices.tolist() == theirs.unsorted_indices.tolist()


@pytest.mark.parametrize(("call", "error", "message"), WRONG + MADE_BY_HAND)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
