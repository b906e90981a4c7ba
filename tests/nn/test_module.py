"""Module: what it finds, saves, loads, copies and calls."""

from __future__ import annotations

import copy
import gc
import pickle

import numpy as np
import pytest

import minidl
from minidl import nn, optim


class Block(nn.Module):
    """A layer, a parameter and a buffer of its own."""

    def __init__(self, size):
        super().__init__()
        self.linear = nn.Linear(size, size)
        self.scale = nn.Parameter(np.ones(size, "f4"))
        self.register_buffer("count", minidl.Tensor(np.zeros((), "i8")))
        self.register_buffer("cache", minidl.Tensor(np.zeros(2, "f4")), persistent=False)

    def forward(self, x):
        return self.linear(x) * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(3), Block(3)])
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.Linear(3, 2, bias=False)})
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, head="a"):
        for block in self.blocks:
            x = block(x)
        return self.heads[head](self.dropout(x))


X = minidl.Tensor(np.random.default_rng(0).normal(size=(4, 3)).astype("f4"))
KEYS = [
    "blocks.0.scale", "blocks.0.count", "blocks.0.linear.weight", "blocks.0.linear.bias",
    "blocks.1.scale", "blocks.1.count", "blocks.1.linear.weight", "blocks.1.linear.bias",
    "heads.a.weight", "heads.a.bias", "heads.b.weight",
]  # fmt: skip


def test_what_is_inside():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [key for key in KEYS if "count" not in key]
    buffers = [f"blocks.{i}.{name}" for i in (0, 1) for name in ("count", "cache")]
    assert [name for name, _ in net.named_buffers()] == buffers
    assert list(net.state_dict()) == KEYS
    assert [name for name, _ in net.named_children()] == ["blocks", "heads", "dropout"]
    assert [name for name, _ in net.named_modules()][:4] == ["", "blocks", "blocks.0", "blocks.0.linear"]
    assert net.get_submodule("blocks.1.linear") is net.blocks[1].linear
    assert len(list(net.parameters(recurse=False))) == 0
    assert len(list(net.blocks[0].parameters(recurse=False))) == 1


def test_a_shared_module_has_one_name_or_all():
    shared = nn.Linear(2, 2, bias=False)
    net = nn.Sequential(shared, nn.Sequential(shared))
    assert [name for name, _ in net.named_modules("net")] == ["net", "net.0", "net.1"]
    assert [name for name, _ in net.named_modules(remove_duplicate=False)] == ["", "0", "1", "1.0"]
    assert list(net.state_dict("net.")) == ["net.0.weight", "net.1.0.weight"]
    shared.register_buffer("mean", minidl.zeros(2))
    for named, name in ((net.named_parameters, "weight"), (net.named_buffers, "mean")):
        assert [key for key, _ in named()] == [f"0.{name}"]
        assert [key for key, _ in named(remove_duplicate=False)] == [f"0.{name}", f"1.0.{name}"]


def test_a_name_that_is_assigned_anew_is_of_the_new_kind_alone():
    net = nn.Module()
    net.part = nn.Parameter(minidl.ones(2))
    net.part = nn.ReLU()
    assert isinstance(net.part, nn.ReLU) and list(net.named_parameters()) == []
    net.part = nn.Parameter(minidl.ones(2))
    assert net.part.shape == (2,) and list(net.children()) == []


def test_a_buffer_that_is_registered_anew_is_saved_or_not_as_the_last_time():
    net = nn.Module()
    for persistent in (False, True, False):
        net.register_buffer("mean", minidl.zeros(2), persistent)
        assert list(net.state_dict()) == ["mean"] * persistent


def test_keep_vars_gives_the_parameters_themselves():
    net = nn.Linear(2, 2)
    assert net.state_dict(keep_vars=True)["weight"] is net.weight
    assert not net.state_dict()["weight"].requires_grad


def test_apply_goes_children_first():
    seen = []
    net = Net()
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen[:3] == ["Linear", "Block", "Linear"]
    assert seen[-1] == "Net"


def test_train_and_eval_reach_everything():
    net = Net().eval()
    assert not any(module.training for module in net.modules())
    np.testing.assert_array_equal(net(X).numpy(), net(X).numpy())
    assert all(module.training for module in net.train().modules())
    assert (net(X) != net(X)).any()


def test_a_module_that_sets_its_own_mode_is_asked():
    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(Frozen(3), nn.Sequential(Frozen(3), nn.Dropout())).train()
    assert [module.training for module in net.modules()] == [True, False, True, False, True]


def test_a_parameter_in_the_place_of_a_buffer_that_was_not_saved_is_saved():
    net = nn.Module()
    net.register_buffer("weight", minidl.ones(2), persistent=False)
    assert not net.state_dict()
    net.weight = nn.Parameter(minidl.ones(2))
    assert list(net.state_dict()) == ["weight"]
    net.load_state_dict({"weight": minidl.zeros(2)})
    assert not net.weight.numpy().any()


def test_a_conversion_to_what_it_is_already_is_no_change():
    layer = nn.Linear(2, 2)
    loss = layer(minidl.ones(1, 2)).sum()
    layer.float().cpu()
    loss.backward()
    loss = layer(minidl.ones(1, 2)).sum()
    layer.double()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_state_dict_shares_memory_and_load_copies():
    a, b = Net().eval(), Net().eval()
    state = a.state_dict()
    assert state["heads.a.weight"].data is a.heads["a"].weight.data
    b.load_state_dict(state)
    np.testing.assert_array_equal(a(X).numpy(), b(X).numpy())
    with minidl.no_grad():
        a.heads["a"].weight.fill_(0)
    assert (b.heads["a"].weight != 0).any()


def test_load_names_every_problem_and_changes_nothing():
    net = Net()
    state = {key: value.numpy() + 1 for key, value in net.state_dict().items() if key != "heads.a.bias"}
    state["heads.c.weight"] = state["heads.b.weight"]
    state["blocks.0.scale"] = np.ones(7)
    before = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    for text in ("missing keys: heads.a.bias", "unexpected keys: heads.c.weight", "blocks.0.scale has shape (7,)"):
        assert text in str(error.value)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])
    with pytest.raises(RuntimeError, match="blocks.0.scale has shape"):
        net.load_state_dict(state, strict=False)
    for no_array in (None, "none"):
        with pytest.raises(RuntimeError, match=r"blocks.0.scale has shape \(\) in the state"):
            net.load_state_dict({**state, "blocks.0.scale": no_array}, strict=False)
    del state["blocks.0.scale"]
    with pytest.raises(TypeError, match="complex64"):
        net.load_state_dict({**state, KEYS[-1]: state[KEYS[-1]] * np.complex64(1j)}, strict=False)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])
    result = net.load_state_dict(state, strict=False)
    missing, unexpected = result
    assert repr(result) == f"LoadResult(missing_keys={missing}, unexpected_keys={unexpected})"
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    assert (missing, unexpected) == (["blocks.0.scale", "heads.a.bias"], ["heads.c.weight"])
    np.testing.assert_array_equal(net.heads["a"].weight.numpy(), before["heads.a.weight"] + 1)


def test_loading_is_seen_by_the_engine():
    net = nn.Linear(3, 3)
    x = minidl.Tensor(X.numpy().copy(), requires_grad=True)
    loss = net(x).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_compute_the_same_and_live_apart(duplicate):
    net = Net().eval()
    net(X).sum().backward()
    twin = duplicate(net)
    np.testing.assert_array_equal(twin(X).numpy(), net(X).numpy())
    assert [type(p) for p in twin.parameters()] == [nn.Parameter] * len(list(net.parameters()))
    assert not twin.training
    assert any(p.grad is not None for p in net.parameters()) and all(p.grad is None for p in twin.parameters())
    optimizer = optim.SGD(twin.parameters(), lr=0.1)
    before = net(X).numpy().copy()
    optimizer.zero_grad()
    twin(X).sum().backward()
    optimizer.step()
    assert (twin(X) != net(X)).any()
    np.testing.assert_array_equal(net(X).numpy(), before)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_what_is_shared_stays_shared(duplicate):
    embedding, output = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
    output.weight = embedding.weight
    model = duplicate(nn.Sequential(embedding, output))
    assert model[0].weight is model[1].weight
    assert len(list(model.parameters())) == 1
    assert list(model.state_dict()) == ["0.weight", "1.weight"]
    model(minidl.tensor([0, 3])).sum().backward()
    twice = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
    for layer in twice:
        layer.load_state_dict({"weight": model[0].weight})
    nn.Sequential(*twice)(minidl.tensor([0, 3])).sum().backward()
    np.testing.assert_allclose(
        model[0].weight.grad.numpy(), twice[0].weight.grad.numpy() + twice[1].weight.grad.numpy(), rtol=1e-6
    )


def test_frozen_parameters_get_no_gradient_and_do_not_move():
    net = Net().eval()
    net.blocks.requires_grad_(False)
    optimizer = optim.Adam(net.parameters(), lr=0.1, weight_decay=0.1)
    before = net.blocks[0].linear.weight.numpy().copy()
    net(X).sum().backward()
    optimizer.step()
    assert net.blocks[0].linear.weight.grad is None
    np.testing.assert_array_equal(net.blocks[0].linear.weight.numpy(), before)
    assert net.heads["a"].weight.grad is not None
    net.requires_grad_()
    net(X).sum().backward()
    assert net.blocks[0].linear.weight.grad is not None


def test_zero_grad():
    net = Net()
    net(X).sum().backward()
    net.zero_grad(set_to_none=False)
    assert (net.heads["a"].weight.grad == 0).all()
    assert net.heads["b"].weight.grad is None
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_conversion_keeps_parameters_and_spares_integers():
    net = Net()
    net(X).sum().backward()
    weight = net.heads["a"].weight
    assert net.double() is net
    assert net.heads["a"].weight is weight
    assert weight.dtype == weight.grad.dtype == np.float64
    assert net.blocks[0].count.dtype == np.int64
    assert net(X.double()).dtype == np.float64
    assert net.float().to("cpu")(X).dtype == np.float32
    assert net.to(X.double())(X.double()).dtype == np.float64  # in the dtype and on the device of another tensor


def test_hooks():
    net, calls = nn.Linear(3, 2), []
    net.register_forward_hook(lambda module, inputs, output: calls.append("watch"))
    gc.collect()  # a handle that nobody keeps does not take its hook along, nor is its place given to the next one
    handle = net.register_forward_hook(lambda module, inputs, output: output * 2)
    plain = nn.Linear(3, 2)
    plain.load_state_dict(net.state_dict())
    np.testing.assert_allclose(net(X).numpy(), plain(X).numpy() * 2, rtol=1e-6)
    with net.register_forward_pre_hook(lambda module, inputs: inputs[0] * 0):
        np.testing.assert_allclose(net(X).numpy(), np.broadcast_to(plain.bias.numpy() * 2, (4, 2)), rtol=1e-6)
    handle.remove()
    handle.remove()
    np.testing.assert_array_equal(net(X).numpy(), plain(X).numpy())
    assert calls == ["watch"] * 3


def test_a_hook_may_remove_itself():
    net, calls = nn.Linear(3, 2), []
    handle = net.register_forward_hook(lambda *_: (calls.append(1), handle.remove())[1])
    net(X)
    net(X)
    assert calls == [1]


def test_attributes_change_their_kind():
    net = Net()
    net.dropout = nn.Identity()
    assert [name for name, _ in net.named_children()] == ["blocks", "heads", "dropout"]
    net.extra = nn.Parameter(np.ones(2, "f4"))
    assert "extra" in net.state_dict()
    with pytest.raises(TypeError, match="extra is a parameter"):
        net.extra = minidl.tensor([1.0])
    with pytest.raises(TypeError, match="count is a buffer: assign a Tensor or None, got ndarray"):
        net.blocks[0].count = np.array(3)
    with pytest.raises(TypeError, match="dropout is a module: assign a Module or None, got ufunc"):
        net.dropout = np.tanh
    net.dropout = None
    assert [name for name, _ in net.named_children()] == ["blocks", "heads"] and net.dropout is None
    net.extra = None
    assert "extra" not in net.state_dict()
    del net.extra
    assert not hasattr(net, "extra")
    net.extra = 5
    assert net.extra == 5
    del net.extra
    assert not hasattr(net, "extra")
    net.blocks[0].count = minidl.Tensor(np.array(3))
    assert int(net.state_dict()["blocks.0.count"]) == 3


def test_a_parameter_takes_the_place_of_a_plain_attribute():
    net = nn.Module()
    net.scale = 3
    net.scale = weight = nn.Parameter(np.ones(2, np.float32))
    assert net.scale is weight and list(net.state_dict()) == ["scale"]


def test_repr():
    text = repr(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ModuleList([nn.LSTM(3, 4, 2)])))
    assert text == (
        "Sequential(\n"
        "  (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)\n"
        "  (1): ModuleList(\n"
        "    (0): LSTM(3, 4, num_layers=2)\n"
        "  )\n"
        ")"
    )


@pytest.mark.parametrize(
    "layer, text",
    [
        (nn.Conv2d(1, 2, 3), "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"),
        (nn.MaxPool2d(2, dilation=3, ceil_mode=True), "kernel_size=2, stride=2, padding=0, dilation=3, ceil_mode=True"),
        (nn.ConvTranspose2d(1, 2, 3, 2, output_padding=1), "stride=(2, 2), output_padding=(1, 1)"),
        (nn.ConvTranspose1d(1, 2, 3, 2, 1, 1), "kernel_size=(3,), stride=(2,), padding=(1,), output_padding=(1,)"),
        (nn.Conv1d(1, 2, 3, dilation=2, padding="same"), "kernel_size=(3,), stride=(1,), padding=same, dilation=(2,)"),
        (nn.BatchNorm2d(2, track_running_stats=False), "affine=True, track_running_stats=False"),
        (nn.InstanceNorm1d(2), "(2, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)"),
        (nn.LayerNorm(2, bias=False), "elementwise_affine=True, bias=False"),
        (nn.RNNCell(2, 3, bias=False, nonlinearity="relu"), "(2, 3, bias=False, nonlinearity=relu)"),
        (nn.Upsample(scale_factor=2), "Upsample(scale_factor=2, mode='nearest')"),
        (nn.Upsample(5, mode="bilinear"), "Upsample(size=5, mode='bilinear')"),
        (nn.MultiheadAttention(4, 2), "MultiheadAttention(\n  4, num_heads=2\n  (out_proj): Linear("),
    ],
    ids=lambda value: type(value).__name__,
)
def test_repr_tells_the_options(layer, text):
    assert text in repr(layer)


def test_summary_counts_what_is_not_in_a_layer_too():
    model = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16), nn.Flatten(), nn.Linear(40, 2))
    model.requires_grad_(False)
    text = nn.summary(model, np.zeros((3, 5, 8), "f4"))
    counted = sum(int(line.split()[-1].replace(",", "")) for line in text.splitlines()[2:-3])
    assert counted == sum(parameter.numel() for parameter in model.parameters())
    assert text.splitlines()[-1].split() == ["trainable", "0"]
    assert "Sequential" not in text and "0.self_attn (MultiheadAttention)" in text  # which has weights of its own
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert "(1, 3, 4), (1, 3, 4)" in nn.summary(nn.LSTM(2, 4), np.zeros((5, 3, 2), "f4"))


def late_init():
    class Late(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

    Late()


def no_init():
    class Scale(nn.Module):
        def __init__(self, factor):
            self.factor = factor

        def forward(self, x):
            return x * self.factor

    Scale(2)(X)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (late_init, AttributeError, r"super\(\).__init__\(\) before assigning layer"),
        (no_init, AttributeError, r"Scale has no attribute .*, for its __init__ did not call super\(\).__init__\(\)"),
        (lambda: nn.Module()(X), NotImplementedError, "Module must define forward"),
        (lambda: Net().decoder, AttributeError, "Net has no attribute 'decoder'"),
        (lambda: Net().get_submodule("blocks.7"), AttributeError, "no module '7'"),
        (lambda: nn.Sequential(nn.ReLU(), np.tanh), TypeError, "argument 1 must be a Module, got ufunc"),
        (lambda: nn.ModuleList([3]), TypeError, "must be a Module, got int"),
        (lambda: nn.Module().add_module("a.b", nn.ReLU()), ValueError, "without a dot, got 'a.b'"),
        (lambda: nn.Module().register_parameter("w", np.ones(3)), TypeError, "nn.Parameter or None, got ndarray"),
        (lambda: nn.Module().register_buffer("b", 3), TypeError, "Tensor or None, got int"),
        (lambda: nn.Linear(2, 2).register_buffer("forward", None), ValueError, "'forward' already"),
        (lambda: nn.Parameter(np.ones(3, "i8")), TypeError, "int64"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "groups must divide"),
        (lambda: nn.GroupNorm(0, 4), ValueError, "num_groups must divide num_channels, got 0 and 4"),
        (lambda: nn.GroupNorm(2, 5), ValueError, "num_groups must divide num_channels, got 2 and 5"),
        (lambda: nn.BatchNorm2d(3)(X), ValueError, r"BatchNorm2d needs x of 4 dimensions, got shape \(4, 3\)"),
        (lambda: nn.InstanceNorm2d(2)(np.ones((3, 2, 1, 1))), ValueError, r"more than one .*got shape \(3, 2, 1, 1\)"),
        (lambda: nn.Dropout(1.5), ValueError, "1.5"),
        (lambda: nn.Linear(2, 3).to(np.int64), TypeError, "dtype must be a floating-point type .*int64"),
        (lambda: nn.Linear(2, 3).to("mps"), TypeError, "takes a device, 'cpu' or 'cuda', a dtype .*, got 'mps'"),
        (lambda: nn.Embedding(5, 3, padding_idx=5), ValueError, "row number below 5, got 5"),
        (lambda: nn.MultiheadAttention(8, 3), ValueError, "num_heads must divide embed_dim, got 3 and 8"),
        (lambda: nn.Linear(2, 2).load_state_dict([1]), TypeError, "dict of Tensors or arrays by name, got list"),
        (lambda: nn.MSELoss("median"), ValueError, "'median'"),
        (lambda: nn.MSELoss("batchmean"), ValueError, "mean, sum, none, got 'batchmean'"),
    ],
)
def test_wrong_calls(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_parameters_and_buffers_by_their_dotted_names():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.BatchNorm1d(3)))
    assert model.get_parameter("1.0.weight") is model[1][0].weight
    assert model.get_buffer("1.0.running_mean") is model[1][0].running_mean
    for call, name in (
        (model.get_parameter, "0.running_mean"),
        (model.get_buffer, "0.weight"),
        (model.get_buffer, "x"),
    ):
        with pytest.raises(AttributeError, match=f"looking for '{name}'"):
            call(name)
    with pytest.raises(AttributeError, match="has no module '5'"):
        model.get_parameter("5.weight")
