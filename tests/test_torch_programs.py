"""Small programs beside PyTorch: what is written to, what is recorded of it, and what modules do.

Every program is written once, for both libraries: `L` is minidl or torch.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import minidl
from minidl import Tensor
from tests.torch_calls import assert_same, outputs, torch

pytestmark = pytest.mark.filterwarnings("ignore")


def leaf(L: Any) -> Any:
    return L.tensor([[0.5, -1.25, 2.0], [1.5, 0.25, -3.0]], requires_grad=True)


def rows_written(L):
    x = leaf(L)
    y = L.zeros(3, 3)
    y[0] = x[1]
    y[1:] = x * 2
    y[..., 2] = x.sum()
    (y * y).sum().backward()
    return y, x.grad


def places_written(L):
    x = leaf(L)
    y = x * 1
    y[y > 1] = 0.0
    y[[0, 1], [2, 0]] = x[0, :2] * 3
    y[range(2), (0, 2)] = x[range(1, 2), (1, 0)] * 5
    (y * y * y).sum().backward()
    return y, x.grad


def a_number_written_over(L):
    x = L.tensor(2.0, requires_grad=True)
    y = x * 3
    y[...] = x * x
    (y * x).backward()
    return y, x.grad


def an_integer_beside_an_array(L):
    x, v = leaf(L), L.tensor([2.0, 3.0], requires_grad=True)
    y = L.stack([x, x])
    y[1, :, [0, 2]] = v
    (y * y).sum().backward()
    return y, x.grad, v.grad


def written_twice_differentiated(L):
    x = leaf(L)
    y = x**3
    y[0] = (x[1] * x[1]) * x[0]
    grad = L.autograd.grad(y.sum(), x, create_graph=True)[0]
    return grad, L.autograd.grad((grad * grad).sum(), x)[0]


def changed_by_operators(L):
    x = leaf(L)
    y = x * 2
    same = y
    y **= 2
    y += x
    y.pow_(2)
    y %= 3
    y.clamp_(0.1, max=2.5)
    y.add_(x, alpha=0.5)
    assert same is y and not y.is_leaf
    y.sum().backward()
    z = L.tensor([7, -7])
    z //= 2
    z %= 3
    return y, x.grad, z


def changed_by_masks_and_positions(L):
    x, index = leaf(L), L.tensor([[0, 2], [1, 0]])
    y = x * 2
    y.masked_fill_(y > 2, 0.0)
    y.scatter_(1, index, x[:, :2] * 3).scatter_add_(1, index, x[:, 1:])
    (y * y).sum().backward()
    return y, x.grad, L.zeros(2, 3).scatter_(1, index, 1.0), L.tensor([1, 2]).masked_fill_(L.tensor([True, False]), 7)


def copies_written(L):
    x, image = L.arange(6.0).view(2, 3), L.zeros(1, 1, 2, 3)
    F = L.nn.functional
    copies = [x.flip(1), x.flip(0, 1), x.repeat(1, 1), x.repeat(2, 1, 1), L.diag(x)]
    copies += [F.interpolate(image, size=(2, 3)), F.pad(image, (0, 0, 0, 0), "reflect")]
    copies += [F.pixel_shuffle(image, 1), F.pixel_unshuffle(image, 1)]
    for y in copies:
        y += 1
    v = x.detach().clone().requires_grad_()
    z = v * 2
    y = z.repeat(1, 1).mul_(3) + z.flip(0).add_(z).add_(1)
    (y * y + z).sum().backward()
    return x, image, *copies, v.grad


def changed_by_functions(L):
    x = leaf(L)
    y = x * 2
    for name in "exp_ sqrt_ log1p_ neg_ abs_ sigmoid_ square_ cos_ asin_ tanh_ sinh_ reciprocal_ log2_ relu_".split():
        before = y * 1
        y = getattr(before, name)()
        assert y is before
    y = (y * 1).addcmul_(x, x, value=0.5).addcdiv_(x, x * x + 1).clamp_min_(0.5).clamp_max_(2.5)
    y.sum().backward()
    z, number = L.tensor([7, -7]), L.tensor([2.5, -0.5])
    for name in ("exp_", "log2_", "tanh_", "atan_"):
        with pytest.raises((RuntimeError, TypeError)):
            getattr(z, name)()
    return y, x.grad, z.abs_().neg_().square_(), number.floor_(), number.round_()


def rows_added(L):
    x, index = leaf(L), L.tensor([1, 0, 1])
    y = x * 2
    same = y
    y.index_add_(1, index, x * x).index_add_(0, L.tensor([1]), x[:1], alpha=3)
    assert same is y
    (y * y).sum().backward()
    return (
        y,
        x.grad,
        L.zeros(3, dtype=L.int64).index_add_(0, index, L.tensor([1, 2, 3])),
        L.index_add(L.zeros(2), 0, index, L.ones(3)),
    )


def diagonals_filled(L):
    x = leaf(L)
    y = x * 2
    y.fill_diagonal_(7.0)
    (y * y).sum().backward()
    tall, cube = L.zeros(7, 3), L.zeros(2, 2, 2)
    with pytest.raises((RuntimeError, ValueError)):
        L.zeros(2, 2, 3).fill_diagonal_(1)
    return y, x.grad, tall.fill_diagonal_(1), tall.clone().fill_diagonal_(2, wrap=True), cube.fill_diagonal_(3)


def triangles_kept(L):
    x = leaf(L)
    y = x * 2
    y.tril_().triu_(diagonal=-1)
    y.sum().backward()
    uneven = L.tensor([[1.0, float("nan")], [float("inf"), 2.0]])
    return y, x.grad, L.ones(2, 3).triu_(1), uneven.nan_to_num_(posinf=9.0), uneven


def layers_start_anew(L):
    nn = L.nn
    x, results = L.arange(24.0).reshape(2, 3, 2, 2), []
    for layer in (nn.BatchNorm2d(3), nn.GroupNorm(3, 3), nn.LayerNorm(2), nn.RMSNorm(2), nn.PReLU(3, init=0.1),
                  nn.InstanceNorm2d(3, affine=True), nn.LayerNorm(2, elementwise_affine=False)):  # fmt: skip
        layer(x)
        with L.no_grad():
            for parameter in layer.parameters():
                parameter.fill_(5.0)
        layer.reset_parameters()
        results += layer.state_dict().values()
    layer = nn.BatchNorm2d(3)
    layer(x)
    layer.reset_running_stats()
    nn.BatchNorm2d(3, track_running_stats=False).reset_running_stats()
    vectors = nn.Embedding(4, 2, padding_idx=1)
    vectors.weight.detach().fill_(9.0)
    vectors.reset_parameters()
    assert (vectors.weight != 9).all()
    distance = nn.PairwiseDistance(p=1, keepdim=True)(x[0], x[1])
    return *results, *layer.state_dict().values(), vectors.weight[1], distance, L.tensor(L.is_tensor(x))


def a_diagonal_written(L):
    x = L.zeros(3, 4)
    x.diagonal(1).fill_(2.0)
    x.diagonal(-1, 1, 0).add_(L.arange(3.0))
    copy = L.diag(x, 1)
    copy += 5
    return x, copy, L.diag(x > 0)


def a_leaf_is_protected(L):
    for change in ("x.masked_fill_(x > 0, 0.0)", "x **= 2", "x //= 2", "x %= 2", "x[0] = 1.0"):
        with pytest.raises(RuntimeError):
            exec(change, {"x": leaf(L)})


def not_numbers(L):
    x = leaf(L)
    assert (x == None, x != None, x == "a") == (False, True, False)  # noqa: E711


def decorated(L):
    @L.no_grad
    def plain():
        return L.is_grad_enabled()

    @L.no_grad()
    def generator():
        yield L.is_grad_enabled()
        yield L.is_grad_enabled()

    seen = [plain()]
    for inside in generator():
        seen += [inside, L.is_grad_enabled()]
    assert seen == [False, False, True, False, True]


def a_decorated_generator_is_talked_to(L):
    seen = []

    @L.no_grad()
    def generator():
        try:
            got = yield 1
            seen.append((got, L.is_grad_enabled()))
            try:
                yield 2
            except KeyError:
                seen.append(("caught", L.is_grad_enabled()))
            yield 3
        finally:
            seen.append(("closed", L.is_grad_enabled()))

    inside = generator()
    assert (next(inside), inside.send("hello"), inside.throw(KeyError())) == (1, 2, 3)
    inside.close()
    assert seen == [("hello", False), ("caught", False), ("closed", False)] and L.is_grad_enabled()
    with pytest.raises(ZeroDivisionError):
        inside = generator()
        next(inside)
        inside.throw(ZeroDivisionError())


def gradients_seen_on_the_way(L):
    x = leaf(L)
    y = x * x
    y.retain_grad()
    y.register_hook(lambda dy: dy * 10)
    x.register_hook(lambda dx: dx + 1)
    (y * 3 + y).sum().backward()
    return x.grad, y.grad


def values_and_gradients_that_are_set(L):
    x, number = leaf(L), L.tensor(2.0, requires_grad=True)
    (x * x * number).sum().backward()
    x.data = x.data - 0.1 * x.grad
    number.data = number.data - 1
    x.grad = L.ones(2, 3)
    (x * number).sum().backward()
    for grad in (L.ones(3), L.ones(2, 3, dtype=L.float64), 1.0):
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            x.grad = grad
    with pytest.raises(TypeError):
        x.data = [1.0, 2.0]
    return x, x.grad, number, number.grad


def computed_once_and_gone_back_twice(L):
    """What saved a shape and no tensor is not freed: inputs are joined or cut before the loop that trains on them."""
    x, F = leaf(L), L.nn.functional
    once = [
        x[0], x[:, 1:], x[..., None, -1], x.view(3, 2), x.flatten(), x.unflatten(1, (1, 3)), x.t(), x.permute(1, 0),
        x.unsqueeze(1), x[:1].squeeze(0), x.expand(2, 2, 3), x.repeat(2, 1), x.sum(), x.sum(1), x.mean(0, keepdim=True),
        L.cat([x, x], 1), L.stack([x, x]), x.split(1)[0], x.chunk(2)[1], x.unbind()[0], x.narrow(1, 0, 2), x.diagonal(),
        F.pad(x, (1, 1)), x.flip(0), x + 1, x - x, -x, x.double(), x.clone(), x.unfold(1, 2, 1), x.repeat_interleave(2),
    ]  # fmt: skip
    for weight in (1, 2):
        for y in once:
            (weight * y).sum().backward()
    y = x[0].exp()
    y.sum().backward()
    with pytest.raises(RuntimeError):
        y.sum().backward()
    return *once, x.grad


def old_weights(L):
    model = L.nn.BatchNorm1d(3)
    assert not any(model.load_state_dict({"weight": L.ones(3)}, strict=False).unexpected_keys)
    del (state := dict(model.state_dict()))["num_batches_tracked"]
    model.load_state_dict(state)
    return model.state_dict()["num_batches_tracked"]


def modules(L):
    nn = L.nn
    assert list(nn.CrossEntropyLoss(weight=L.ones(3)).state_dict()) == ["weight"]
    assert nn.Embedding(4, 2, padding_idx=-1).padding_idx == 3
    with pytest.raises(TypeError):
        nn.Linear(2, 2).to(L.int64)
    batch_norm = nn.BatchNorm1d(3)
    batch_norm(L.zeros(0, 3))
    return nn.Identity(5, key=6)(L.ones(2)), nn.Softplus(2.0, 3.0)(L.arange(4.0)), batch_norm.running_var


def containers(L):
    nn = L.nn
    for kind in (nn.Sequential(nn.ReLU(), nn.Tanh()), nn.ModuleList([nn.ReLU(), nn.Tanh()])):
        kind.insert(1, nn.Sigmoid())
        kind.extend([nn.GELU(), nn.SiLU()])
        del kind[0]
        assert type(kind.pop(1)).__name__ == "Tanh"
        assert [f"{name} {type(module).__name__}" for name, module in kind.named_children()] == [
            "0 Sigmoid", "1 GELU", "2 SiLU"
        ]  # fmt: skip
    by_name = nn.ModuleDict([("a", nn.ReLU()), ("b", nn.Tanh())])
    by_name.update({"c": nn.GELU(), "a": nn.SiLU()})
    del by_name["b"]
    assert [type(module).__name__ for module in by_name.values()] == ["SiLU", "GELU"]
    assert type(by_name.pop("c")).__name__ == "GELU" and len(by_name) == 1
    by_name.clear()
    parameters = nn.ParameterList([L.ones(2), nn.Parameter(L.zeros(3))]).append(L.ones(1))
    parameters[0] = nn.Parameter(L.zeros(4))
    assert len(by_name) == 0 and len(parameters) == 3 and len(parameters[1:]) == 2
    assert all(isinstance(parameter, nn.Parameter) for parameter in parameters)
    gains = nn.ParameterDict({"right": L.ones(2), "left": L.ones(2)})
    gains.update([("low", L.ones(2)), ("high", L.ones(2))])
    assert [name for name, _ in gains.named_parameters()] == ["left", "right", "low", "high"]
    return tuple(parameters.state_dict().values())


def dtypes_by_name(L):
    array = np.arange(3.0)
    shared = L.from_numpy(array)
    array[0] = 7
    names = (L.float32, L.float64, L.int32, L.int64, L.uint8, L.bool, L.float, L.double, L.int, L.long)
    return shared, L.as_tensor([1, 2]), L.as_tensor(array, dtype=L.float32), *(L.zeros(2, dtype=n) for n in names)


def running_statistics_that_stop(L):
    x = L.tensor([[1.0, 2.0], [3.0, 6.0]])
    layer = L.nn.BatchNorm1d(2)
    layer(x)
    layer.track_running_stats = False
    results = [layer(x), layer.running_mean.clone(), layer.eval()(x + 1), layer.running_var.clone()]
    layer = L.nn.BatchNorm1d(2, momentum=None)
    layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return *results, layer(x), layer.eval()(x * x)


PROGRAMS = [
    rows_written, places_written, a_number_written_over, an_integer_beside_an_array, written_twice_differentiated,
    changed_by_operators, changed_by_functions, changed_by_masks_and_positions, rows_added, diagonals_filled,
    triangles_kept, layers_start_anew, a_diagonal_written, copies_written, a_leaf_is_protected,
    not_numbers, decorated, a_decorated_generator_is_talked_to,
    computed_once_and_gone_back_twice, gradients_seen_on_the_way, values_and_gradients_that_are_set, old_weights,
    modules, containers, dtypes_by_name, running_statistics_that_stop,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_program(program):
    got, expected = outputs(program(minidl_as_torch()), Tensor), outputs(program(torch), torch.Tensor)
    assert len(got) == len(expected)
    for number, (y, value) in enumerate(zip(got, expected)):
        assert_same(y.data, value.detach().numpy(), 1e-6, f"result {number}")


def minidl_as_torch() -> Any:
    """minidl, with what PyTorch has in another place."""
    return SimpleNamespace(**{**vars(minidl), "autograd": SimpleNamespace(grad=minidl.grad)})
