"""Arguments have PyTorch's names, and where both have one its default; what limits.md says is missing, is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

import minidl
import minidl.functional as F
from minidl import _elsewhere, data, nn, optim

torch = pytest.importorskip("torch")
TF = torch.nn.functional

OTHER_DEFAULTS = {  # of these names, for these arguments: (minidl's, PyTorch's)
    ("Softmax Softmin LogSoftmax softmax softmin log_softmax", "dim"): (-1, None),  # PyTorch guesses, and warns
    ("ModuleList ModuleDict", "modules"): ((), None),
    ("TransformerEncoderLayer TransformerDecoderLayer Transformer", "activation"): ("relu", TF.relu),
    ("interpolate", "align_corners"): (False, None),
    ("pad", "value"): (0.0, None),
    ("meshgrid", "indexing"): ("ij", None),
    ("norm", "p"): (2, "fro"),
}


def test_defaults_are_those_of_pytorch():
    compared = 0
    for ours, theirs in (
        *((F, TF), (F, torch), (nn, torch.nn), (nn.init, torch.nn.init), (nn.utils, torch.nn.utils)),
        (nn.utils.rnn, torch.nn.utils.rnn),
        *((optim, torch.optim), (optim.lr_scheduler, torch.optim.lr_scheduler)),
    ):
        for name in (name for name in dir(ours) if not name.startswith("_") and callable(getattr(theirs, name, None))):
            try:
                here, there = (inspect.signature(getattr(module, name)).parameters for module in (ours, theirs))
            except ValueError:  # what PyTorch has in C++ alone has no signature
                continue
            for argument in here.keys() & there.keys():
                pair = here[argument].default, there[argument].default
                if inspect.Parameter.empty in pair or pair[0] == pair[1]:
                    compared += inspect.Parameter.empty not in pair
                    continue
                known = [v for (names, word), v in OTHER_DEFAULTS.items() if name in names.split() and word == argument]
                assert known == [pair], f"{argument} of {ours.__name__}.{name} is {pair[0]!r}, PyTorch's {pair[1]!r}"
    assert compared > 200


NAMED_OTHERWISE = {"save", "load", "split"}  # files have a path; split is the method too, with split_size


def test_what_must_be_given_has_the_name_of_pytorch():
    compared = 0
    for ours, theirs in (
        *((F, TF), (F, torch), (minidl, torch), (nn, torch.nn), (nn.init, torch.nn.init), (nn.utils, torch.nn.utils)),
        *((optim, torch.optim), (optim.lr_scheduler, torch.optim.lr_scheduler), (minidl.autograd, torch.autograd)),
        (minidl.autograd.functional, torch.autograd.functional),
        *((nn.Module, torch.nn.Module), (optim.Optimizer, torch.optim.Optimizer)),
        *((getattr(nn, name), getattr(torch.nn, name)) for name in dir(nn) if name.endswith("Loss")),
    ):
        names = (name for name in dir(ours) if not name.startswith("_") and callable(getattr(theirs, name, None)))
        for name in (name for name in names if name not in NAMED_OTHERWISE):
            try:
                here, there = (inspect.signature(getattr(module, name)).parameters for module in (ours, theirs))
            except ValueError:
                continue
            required = {a.name for a in there.values() if a.default is a.empty and a.kind is a.POSITIONAL_OR_KEYWORD}
            if ours in (F, minidl):
                required.discard("input")  # which is x
            assert required <= here.keys(), f"{ours.__name__}.{name} has no {required - here.keys()}"
            compared += len(required)
    assert compared > 500


@pytest.mark.parametrize(
    "function, option",
    [
        (nn.AvgPool2d, "divisor_override"),
        (nn.AdaptiveMaxPool2d, "return_indices"),
        (nn.LSTM, "proj_size"),
        (nn.MultiheadAttention, "add_bias_kv"),
        (nn.MultiheadAttention, "add_zero_attn"),
        (F.sum, "dtype"),
        (F.mean, "dtype"),
        (optim.Adam, "maximize"),
        (optim.Adam, "foreach"),
        (optim.Adam, "fused"),
        (optim.lr_scheduler.OneCycleLR, "three_phase"),
        (nn.EmbeddingBag, "padding_idx"),
        (nn.EmbeddingBag, "include_last_offset"),
        (F.embedding_bag, "per_sample_weights"),
        (nn.Module.register_forward_hook, "with_kwargs"),
    ],
)
def test_options_that_the_limits_call_missing_are_missing(function: Callable, option: str):
    limits = (Path(__file__).resolve().parent.parent / "docs" / "limits.md").read_text()
    assert f"`{option}`" in limits and option not in inspect.signature(function).parameters


def test_what_the_limits_call_missing_is_pytorchs_and_missing():
    limits = (Path(__file__).resolve().parent.parent / "docs" / "limits.md").read_text()
    paragraph = limits.partition("You are likely to miss:")[2].partition("Average")[0]
    words = set(re.findall(r"`([\w.]+)`", paragraph)) - {"nn", "nn.utils", "torch.cuda", "prefetch"}
    arguments = {"max_norm", "scale_grad_by_freq", "sparse"}  # of Embedding
    of_others = {"RandomErasing", "Pad", "Lambda", "interpolate", *arguments}  # torchvision's, and arguments
    words -= of_others
    assert not {"RandomErasing", "Pad", "Lambda"} & set(dir(data.transforms))
    assert not arguments & {*inspect.signature(nn.Embedding).parameters}
    assert len(words) > 25
    ours, theirs = (
        {
            *(name for place in (top, top.nn, top.nn.utils, functional, top.optim, loading) for name in dir(place)),
            *(f"Tensor.{name}" for name in dir(top.Tensor)),
            *inspect.signature(loading.DataLoader).parameters,
        }
        for top, functional, loading in ((minidl, F, data), (torch, TF, torch.utils.data))
    )
    names = {re.sub("^(torch|nn)[.]", "", word) for word in words}
    assert names <= theirs
    assert not names & ours
    assert not {name.removeprefix("Tensor.") for name in names} & set(dir(minidl.Tensor))


def test_what_pytorch_has_elsewhere_is_told_with_what_to_type():
    for name, advice in _elsewhere.ADVICE.items():
        assert hasattr(torch, name) and not hasattr(minidl, name)
        with pytest.raises(AttributeError, match=re.escape(f"module 'minidl' has no attribute '{name}'; {advice}")):
            getattr(minidl, name)
        for place in re.findall(r"minidl\.([\w.]+)", advice):
            attrgetter(place)(minidl)  # is there
    with pytest.raises(AttributeError, match="module 'minidl' has no attribute 'tensr'$") as raised:
        minidl.tensr  # noqa: B018
    assert (raised.value.name, raised.value.obj) == ("tensr", minidl)  # from which Python finds: did you mean 'tensor'?
