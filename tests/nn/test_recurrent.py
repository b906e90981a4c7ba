"""Recurrent layers without an oracle: the fused walk against a loop of cells, gradients, truncation, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.functional as F
from minidl import kernels, nn

KINDS = ["rnn", "lstm", "gru"]
PARTS = {"rnn": 1, "lstm": 4, "gru": 3}

WEIGHTS = np.zeros((15, 3)), np.zeros((15, 5))


def layer(kind, random, steps=4, batch=3, inputs=2, hidden=3, bias=True):
    """x, the list of states, and the weights of one layer, as float64 Tensors that ask for gradients."""
    rows = PARTS[kind] * hidden

    def new(*shape):
        return minidl.Tensor(random.normal(size=shape), requires_grad=True)

    weights = [new(rows, inputs), new(rows, hidden)] + ([new(rows), new(rows)] if bias else [])
    return new(steps, batch, inputs), [new(1, batch, hidden) for _ in range(2 if kind == "lstm" else 1)], weights


def fused(kind, x, states, weights, reverse=False):
    return getattr(F, kind)(x, tuple(states) if kind == "lstm" else states[0], *weights, reverse=reverse)


def loop_of_cells(kind, x, states, weights, reverse=False):
    outputs, states = [None] * len(x), [state[0] for state in states]
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        if kind == "lstm":
            states = F.lstm_cell(x[t], states, *weights)
        else:
            states = [getattr(F, kind + "_cell")(x[t], states[0], *weights)]
        outputs[t] = states[0]
    return F.stack(outputs), *[state.unsqueeze(0) for state in states]


@pytest.mark.parametrize("kind", KINDS)
def test_the_walk_goes_forward_along_the_first_axis_unless_told_otherwise(kind):
    x, states, weights = layer(kind, np.random.default_rng(0), steps=3, batch=3)
    given = getattr(F, kind)(x, tuple(states) if kind == "lstm" else states[0], *weights)
    for got, expected in zip(given, loop_of_cells(kind, x, states, weights), strict=True):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    steps=st.integers(1, 5),
    batch=st.integers(0, 4),
    inputs=st.integers(1, 4),
    hidden=st.integers(1, 4),
    bias=st.booleans(),
    reverse=st.booleans(),
    uses=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_the_walk_is_a_loop_of_cells(kind, steps, batch, inputs, hidden, bias, reverse, uses, seed):
    random = np.random.default_rng(seed)
    x, states, weights = layer(kind, random, steps, batch, inputs, hidden, bias)
    expected, found = loop_of_cells(kind, x, states, weights, reverse), fused(kind, x, states, weights, reverse)
    used = [i for i in range(len(found)) if uses >> i & 1] or [0]  # a gradient need not come by every output
    cotangents = [random.normal(size=y.shape) for y in expected]
    for y, our_y in zip(expected, found):
        np.testing.assert_allclose(our_y.numpy(), y.numpy(), atol=1e-12)
    leaves = [x, *states, *weights]
    gradients = [
        minidl.grad(sum((results[i] * cotangents[i]).sum() for i in used), leaves, allow_unused=True)
        for results in (expected, found)
    ]
    for leaf, dx, our_dx in zip(leaves, *gradients):
        dx = np.zeros(leaf.shape) if dx is None else dx.numpy()
        np.testing.assert_allclose(our_dx.numpy(), dx, atol=1e-11)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_by_differences(kind, reverse):
    x, states, weights = layer(kind, np.random.default_rng(0))

    def run(x, *rest):
        return fused(kind, x, rest[: len(states)], rest[len(states) :], reverse)

    assert minidl.gradcheck(run, (x, *states, *weights))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_are_those_of_the_cells(kind, reverse):
    x, states, weights = layer(kind, np.random.default_rng(0))

    def run(x, *rest):
        return fused(kind, x, rest[: len(states)], rest[len(states) :], reverse)

    leaves = [x, *states, *weights]
    assert minidl.gradgradcheck(run, leaves)
    found = []
    for y, *_ in (run(*leaves), loop_of_cells(kind, x, states, weights, reverse)):
        dx = minidl.grad((y * y).sum(), leaves, create_graph=True)
        found.append([dx, minidl.grad(sum((d * d * d).sum() for d in dx), leaves)])
    for order in (0, 1):
        for ours, expected in zip(found[0][order], found[1][order]):
            np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)


def test_second_derivatives_where_one_tensor_is_given_twice_and_others_are_constants():
    w, x, h0 = (minidl.Tensor(np.random.default_rng(i).normal(size=(1, 2, 2))) for i in range(3))
    w = w[0].requires_grad_()

    def square_of_gradient(y):
        (dw,) = minidl.grad((y * y).sum(), w, create_graph=True)
        return minidl.grad((dw * dw).sum(), w)[0].numpy()

    ours = square_of_gradient(F.rnn(x, h0, w, w)[1][0])
    np.testing.assert_allclose(ours, square_of_gradient(F.rnn_cell(x[0], h0[0], w, w)), rtol=1e-12)


def test_arrays_give_arrays():
    x, states, weights = layer("lstm", np.random.default_rng(0))
    arrays = fused("lstm", x.data, [s.data for s in states], [w.data for w in weights])
    assert all(type(y) is np.ndarray for y in arrays)
    np.testing.assert_array_equal(arrays[0], fused("lstm", x, states, weights)[0].numpy())


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_detach_cuts_the_walk_back_through_time(kind):
    minidl.manual_seed(1)
    model = getattr(nn, kind)(2, 3)
    x = minidl.Tensor(np.random.default_rng(0).normal(size=(6, 2, 2)).astype("f4"), requires_grad=True)
    _, state = model(x[:3])
    cut = tuple(s.detach() for s in state) if kind == "LSTM" else state.detach()
    y, _ = model(x[3:], cut)
    y.sum().backward()
    assert (x.grad[:3] == 0).all()
    assert (x.grad[3:] != 0).any()
    np.testing.assert_allclose(y.numpy(), model(x)[0][3:].numpy(), atol=1e-6)  # the values know nothing of the cut


def test_an_optimizer_step_before_backward_is_an_error():
    model = nn.LSTM(2, 3)
    y, _ = model(minidl.Tensor(np.ones((4, 1, 2), "f4")))
    with minidl.no_grad():
        model.weight_hh_l0.fill_(0.5)
    with pytest.raises(RuntimeError, match="Lstm.*changed in place"):
        y.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_changing_the_last_state_leaves_the_outputs_alone(kind):
    x, states, weights = layer(kind, np.random.default_rng(0))
    with minidl.no_grad():
        y, *last = fused(kind, x, states, weights)
        before = y.numpy().copy()
        for state in last:
            state.fill_(7)
    np.testing.assert_array_equal(y.numpy(), before)


def test_dropout_is_between_layers_and_in_training_only():
    minidl.manual_seed(3)
    model = nn.RNN(2, 50, num_layers=2, dropout=0.5)
    x = minidl.Tensor(np.random.default_rng(0).normal(size=(5, 4, 2)).astype("f4"))
    first, second = model(x)[0], model(x)[0]
    assert (first != second).any()
    model.eval()
    np.testing.assert_array_equal(model(x)[0].numpy(), model(x)[0].numpy())
    single = nn.RNN(2, 50, dropout=0.5)
    np.testing.assert_array_equal(single(x)[0].numpy(), single(x)[0].numpy())
    first_layer = nn.RNN(2, 50)
    first_layer.load_state_dict(model.state_dict(), strict=False)
    np.testing.assert_array_equal(model.train()(x)[1][0].numpy(), first_layer(x)[1][0].numpy())


def test_initial_values_are_uniform_in_one_over_the_root_of_hidden_size():
    minidl.manual_seed(0)
    for parameter in nn.LSTM(30, 25).parameters():
        values = parameter.numpy()
        assert np.abs(values).max() <= 0.2
        assert np.abs(values).max() > 0.19
        assert abs(values.std() - 0.2 / 3**0.5) < 0.02


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.RNN(3, 5)(np.zeros((4, 2, 2), "f4")), ValueError, r"RNN needs x \(T, N, 3\).*\(4, 2, 2\)"),
        (lambda: nn.GRU(3, 5)(np.zeros((0, 2, 3), "f4")), ValueError, "at least one step in time"),
        (lambda: nn.LSTM(3, 5)(np.zeros((4, 2, 3), "f4"), np.zeros((1, 2, 5), "f4")), TypeError, r"\(h0, c0\)"),
        (lambda: nn.RNN(3, 5)(np.zeros((4, 2, 3), "f4"), np.zeros((1, 3, 5), "f4")), ValueError, r"h0.*\(1, 2, 5\)"),
        (lambda: nn.GRU(3, 5)(np.zeros((4, 2, 3), "f4"), (np.zeros((1, 2, 5), "f4"),)), TypeError, "Tensors.*tuple"),
        (lambda: nn.RNN(3, 5)(np.zeros((4, 2, 3))), TypeError, "float64"),
        (lambda: F.gru(np.zeros((4, 2, 3)), np.zeros((2, 5)), *WEIGHTS), ValueError, r"h0.*\(1, N, H\).*\(2, 5\)"),
        (lambda: F.lstm(np.zeros((4, 2, 3)), (None, [0.0]), *WEIGHTS), ValueError, r"c0.*\(1, N, H\).*list"),
        (lambda: F.gru(np.zeros((4, 2, 3)), None, *WEIGHTS, np.zeros(15)), ValueError, "or neither, got only b_ih"),
        (lambda: F.rnn_cell(np.zeros((2, 3)), np.zeros((2, 5)), *WEIGHTS, nonlinearity="sin"), ValueError, "got 'sin'"),
        (lambda: nn.RNN(3, 5, nonlinearity="sin"), ValueError, "'tanh' or 'relu', got 'sin'"),
        (lambda: nn.RNN(3, 5, dropout=1.5), ValueError, "dropout.*1.5"),
        (lambda: nn.LSTM(0, 5), ValueError, "input_size.*0"),
        (lambda: nn.LSTMCell(3, 5)(np.zeros((2, 4), "f4")), ValueError, r"\(N, 3\).*\(2, 4\)"),
        (lambda: nn.LSTMCell(3, 5)(np.zeros((4, 2, 3), "f4")), ValueError, r"\(N, 3\).*\(4, 2, 3\)"),
        (lambda: nn.GRUCell(3, 5)(np.zeros((2, 3), "f4"), np.zeros((2, 4), "f4")), ValueError, r"\(2, 5\).*\(2, 4\)"),
    ],
)
def test_wrong_calls(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_the_contract_of_the_kernel_refuses_what_does_not_fit():
    x, h0, w_ih, w_hh = np.zeros((4, 2, 3)), np.zeros((2, 5)), np.zeros((5, 3)), np.zeros((5, 5))
    with pytest.raises(ValueError, match=r"w_hh must have shape \(5, 5\)"):
        kernels.recurrent.rnn_forward(x, h0, w_ih, w_ih)
    with pytest.raises(ValueError, match="both or neither"):
        kernels.recurrent.rnn_forward(x, h0, w_ih, w_hh, np.zeros(5))
    with pytest.raises(TypeError, match="h0 float32"):
        kernels.recurrent.rnn_forward(x, h0.astype("f4"), w_ih, w_hh)
    y = kernels.recurrent.rnn_forward(x, h0, w_ih, w_hh)
    with pytest.raises(ValueError, match="at least one of dy, dh_n"):
        kernels.recurrent.rnn_backward(x, h0, w_ih, w_hh, y)
    with pytest.raises(ValueError, match=r"dy must have shape \(4, 2, 5\)"):
        kernels.recurrent.rnn_backward(x, h0, w_ih, w_hh, y, y[:3])
    with pytest.raises(ValueError, match="nonlinearity must be 'tanh' or 'relu', got 'sin'"):
        kernels.recurrent.rnn_backward(x, h0, w_ih, w_hh, y, y, nonlinearity="sin")


@pytest.mark.parametrize("kind", KINDS)
def test_each_array_must_have_its_shape(kind):
    """A kernel would read beyond the end of one that is too short."""
    x, states, (w_ih, w_hh, b_ih, b_hh) = layer(kind, np.random.default_rng(0))
    states = {name: state.data[0] for name, state in zip(("h0", "c0"), states)}
    forward, backward = (getattr(kernels.recurrent, f"{kind}_{way}") for way in ("forward", "backward"))
    given = {"x": x.data, **states, "w_ih": w_ih.data, "w_hh": w_hh.data}
    biases = {"b_ih": b_ih.data, "b_hh": b_hh.data}
    results = forward(**given, **biases)
    names = {"rnn": ["y"], "lstm": ["y", "c", "gates"], "gru": ["y", "gates"]}[kind]
    saved = dict(zip(names, [results] if kind == "rnn" else results))
    gradients = {"dy": saved["y"], **{f"d{name[0]}_n": state for name, state in states.items()}}
    for call, arrays in ((forward, given | biases), (backward, given | saved | gradients)):
        call(**arrays)
        for name in arrays.keys() - {"x", "h0"}:
            with pytest.raises(ValueError, match=f"^{name} must have shape"):
                call(**arrays | {name: arrays[name][..., :-1]})
        with pytest.raises(ValueError, match="^h0 must have shape"):
            call(**arrays | {"h0": states["h0"][:-1]})


def test_inputs_stay_as_they_are():
    x, states, weights = layer("gru", np.random.default_rng(0))
    arrays = [x.data, states[0].data, *(w.data for w in weights)]
    for array in arrays:
        array.flags.writeable = False  # writing would raise
    fused("gru", x, states, weights)[0].sum().backward()


def test_flattening_parameters_changes_nothing():
    layer = nn.GRU(2, 3)
    before = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    assert layer.flatten_parameters() is None
    assert all((layer.state_dict()[name].numpy() == value).all() for name, value in before.items())
