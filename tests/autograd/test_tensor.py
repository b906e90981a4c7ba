"""What a Tensor is and says, and how one is made."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import Tensor, tensor


def test_python_numbers_become_float32_and_int64_and_arrays_keep_their_dtype():
    assert tensor([1.0, 2]).dtype == np.float32
    assert tensor([1, 2]).dtype == np.int64
    assert tensor([True]).dtype == np.bool_
    for dtype in (np.float64, np.float32, np.int32, np.uint8):
        assert tensor(np.ones(2, dtype)).dtype == dtype
    assert tensor(2.5).shape == () and type(tensor(2.5).data) is np.ndarray
    with pytest.raises(TypeError, match="nested lists of equal lengths"):
        tensor(["one"] + [object()])


@pytest.mark.parametrize("make", [tensor, Tensor, minidl.as_tensor])
@pytest.mark.parametrize(
    ("data", "first", "other"),
    [
        ([[1, 2], [3]], r"data\[0\] of shape \(2,\)", r"data\[1\] of shape \(1,\)"),
        ([1, [2, 3]], r"data\[0\] of shape \(\)", r"data\[1\] of shape \(2,\)"),
        ([[[1], [2]], [[3], []]], r"data\[1\]\[0\] of shape \(1,\)", r"data\[1\]\[1\] of shape \(0,\)"),
        ([np.ones(2), tensor([1, 2]), (1, 2, 3)], r"data\[0\] of shape \(2,\)", r"data\[2\] of shape \(3,\)"),
    ],
)
def test_lists_of_different_lengths_are_refused_by_their_places(make, data, first, other):
    with pytest.raises(ValueError, match=f"data must be .* nested lists of equal lengths, got {first} and {other}"):
        make(data)


@pytest.mark.parametrize("make", [tensor, Tensor, minidl.as_tensor, lambda data: tensor(0)[data]])
def test_a_list_that_holds_itself_is_refused(make):
    alone, beside = [], [1]
    for data in (alone, beside):
        data.append(data)
        with pytest.raises(ValueError, match="setting an array element with a sequence"):
            make(data)


def test_tensor_copies_and_the_class_wraps():
    a = np.ones(2)
    assert not np.shares_memory(tensor(a).data, a) and Tensor(a).data is a


def test_what_it_is():
    x = tensor(np.ones((2, 3, 4), np.float32))
    assert (x.shape, x.size(), x.size(-1), x.dim(), x.ndim, x.numel(), len(x)) == ((2, 3, 4), (2, 3, 4), 4, 3, 3, 24, 2)
    assert x.device == "cpu" and x.is_leaf and x.is_floating_point() and x.element_size() == 4
    assert [part.shape for part in x] == [(3, 4)] * 2
    assert x.T.shape == (4, 3, 2) and x.mT.shape == (2, 4, 3)
    assert x.view(6, -1).shape == (6, 4) and np.shares_memory(x.view(6, 4).data, x.data)


def test_its_values():
    x = tensor([[1.5, 2.0]])
    assert x.tolist() == [[1.5, 2.0]] and x[0, 0].item() == 1.5
    assert float(x[0, 0]) == 1.5 and int(x[0, 1]) == 2 and bool(x[0, 0] > 1) and f"{x[0, 0]:.2f}" == "1.50"
    assert [10, 20, 30][tensor(1)] == 20
    assert 2.0 in x and 3.0 not in x
    assert np.asarray(x).dtype == np.float32
    with pytest.raises(ValueError, match=r"one element, this one has shape \(1, 2\)"):
        x.item()
    with pytest.raises(ValueError, match=r"truth of a tensor of shape \(1, 2\)"):
        bool(x)
    with pytest.raises(TypeError, match="0-d"):
        len(tensor(1.0))
    with pytest.raises(TypeError, match="only a tensor of integers"):
        [1, 2][tensor(1.0)]


def test_repr():
    assert repr(tensor([1.0, 2.0], requires_grad=True)) == "tensor([1., 2.], requires_grad=True)"
    assert repr(tensor(np.array([1.0]))) == "tensor([1.], dtype=float64)"
    assert "origin=MulByNumber" in repr(tensor([1.0], requires_grad=True) * 2)
    assert repr(tensor([[1.0], [2.0]], requires_grad=True).chunk(2)[1]) == "tensor([[2.]], origin=Split)"
    assert (repr(minidl.zeros(0)), repr(minidl.zeros(0, 3))) == ("tensor([])", "tensor([], size=(0, 3))")


@pytest.mark.parametrize("make", [Tensor, tensor])
def test_an_array_with_its_bytes_in_the_other_order_computes_like_any_other(make):
    x = make(np.arange(6).reshape(2, 3).astype(">f4"), requires_grad=True)
    y = x @ minidl.ones(3, 2)
    y.sum().backward()
    assert x.dtype == np.float32 and x.dtype.isnative and x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert y.tolist() == [[3, 3], [12, 12]] and x.grad.dtype.isnative


def test_as_an_array_of_numpy():
    x = tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(x), x.data) and not np.asarray(x).flags.writeable
    assert not np.shares_memory(np.array(x), x.data) and np.array(x).flags.writeable
    assert np.asarray(x, np.float64).tolist() == [1, 2]
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, np.float64, copy=False)


def test_conversions():
    x = tensor([1.6, -1.0], requires_grad=True)
    assert x.double().dtype == np.float64 and x.long().tolist() == [1, -1] and x.bool().tolist() == [True, True]
    assert x.int().dtype == np.int32 and x.float() is x and x.to("cpu") is x
    assert x.to(tensor(np.ones(1))).dtype == np.float64
    assert x.to(None) is x
    x.double().sum().backward()
    assert x.grad.dtype == np.float32
    with pytest.raises(ValueError, match=r"device must be 'cpu', 'cuda' or 'cuda:N', got 'tpu'"):
        tensor([1.0], device="tpu")


def test_max_along_an_axis_gives_values_and_indices():
    x = tensor([[1.0, 5.0], [7.0, 3.0]])
    best = x.max(1)
    assert best.values.tolist() == [5.0, 7.0] and best.indices.tolist() == [1, 0]
    values, indices = F.max(x, 0)
    assert values.tolist() == [7.0, 5.0] and indices.dtype == np.int64
    assert x.max().item() == 7.0


def test_operators_promote_as_pytorch_does():
    x, i = tensor([1.0]), tensor([2])
    assert (x * 2).dtype == (x / 3).dtype == (2**x).dtype == (x + True).dtype == np.float32
    assert (i * 2).dtype == np.int64 and (i * 0.5).dtype == (i / 2).dtype == (i**0.5).dtype == np.float32
    assert (x * tensor(np.ones(1))).dtype == np.float64
    short, long = tensor(np.ones(1, np.int32)), tensor(np.int64(2))
    assert (short * long).dtype == (long - short).dtype == np.int32 and (i * tensor(np.int32(2))).dtype == np.int64
    assert (short * i).dtype == short.sum().dtype == np.int64  # both have axes; a sum has room for more
    assert (tensor([True]) + tensor([True])).dtype == np.bool_ and tensor([True, True]).sum().item() == 2


# Making tensors


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: F.zeros(2, 3), np.zeros((2, 3), np.float32)),
        (lambda: F.ones((2,), dtype=np.int64), np.ones(2, np.int64)),
        (lambda: F.full((2,), 3), np.full(2, 3)),
        (lambda: F.full((2,), 3.0), np.full(2, 3, np.float32)),
        (lambda: F.arange(3), np.arange(3)),
        (lambda: F.arange(1, 2, 0.5), np.array([1, 1.5], np.float32)),
        (lambda: F.linspace(0, 1, 3), np.array([0, 0.5, 1], np.float32)),
        (lambda: F.eye(2, 3), np.eye(2, 3, dtype=np.float32)),
        (lambda: F.zeros_like(tensor(np.ones((2, 1)))), np.zeros((2, 1))),
        (lambda: F.ones_like(tensor([1])), np.array([1])),
        (lambda: F.full_like(tensor([1.0]), 7), np.array([7], np.float32)),
    ],
)
def test_new_tensors(made, expected):
    x = made()
    assert x.dtype == expected.dtype and not x.requires_grad
    np.testing.assert_array_equal(x.numpy(), expected)


def test_float64_and_float16_come_from_their_like_alone():
    image, flags, wide = tensor(np.zeros(3, np.uint8)), tensor([True, False]), tensor(np.ones(3))
    for x in (image / 255, image * np.float64(2), image.sqrt(), flags.sqrt(), flags * 1.0, minidl.arange(3) / 3):
        assert x.dtype == np.float32
    for x in (tensor([1, 2]).mean(), minidl.where(flags, 1.0, 0.0), tensor([1, 2]) // 0.5, 0.5 - tensor([1])):
        assert x.dtype == np.float32
    for x in (wide / 3, image * wide, minidl.where(image > 0, wide, 0), wide.sqrt(), image.double() / 255):
        assert x.dtype == np.float64
    assert (tensor(np.ones(2, np.float16)) * 2).dtype == np.float16


def test_lists_and_parameters_are_float32_unless_they_are_arrays():
    assert minidl.Tensor([1.0, 2.0]).dtype == minidl.nn.Parameter([1.0]).dtype == minidl.Tensor(1.5).dtype == np.float32
    assert minidl.Tensor(np.ones(2)).dtype == minidl.Tensor(np.float64(1)).dtype == np.float64
    assert tensor([0.1], dtype=np.float64).item() == 0.1
    for exact in ([np.float64(0.1)], [[np.array(0.1)]], (tensor(0.1, dtype="float64"),)):
        assert tensor(exact).dtype == np.float64 and tensor(exact).item() == 0.1
    assert tensor([np.float32(0.1), 0.5]).dtype == tensor([]).dtype == tensor([[], []]).dtype == np.float32


def test_what_is_no_number_is_refused():
    for data in ("abc", ["a"], None, np.array(["a"]), [None, 1.0]):
        for make in (tensor, minidl.Tensor):
            with pytest.raises(TypeError, match="data must be real numbers"):
                make(data)
    with pytest.raises(TypeError, match=r"requires_grad must be True or False, got 3.*minidl\.empty"):
        minidl.Tensor(2, 3)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_an_array_of_a_subclass_computes_like_any_other():
    matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    x = minidl.tensor(matrix)
    for y in (x * x, x * matrix, minidl.from_numpy(matrix) * x, Tensor(matrix) * x):
        assert type(y.data) is np.ndarray and y.tolist() == [[1, 4], [9, 16]]
    assert x[0].shape == (2,) and x.sum().item() == 10
    assert minidl.tensor(np.ma.masked_array([1.0, 2.0])).sum().item() == 3
    with pytest.raises(TypeError, match="filled"):
        minidl.tensor(np.ma.masked_array([1.0, 2.0], mask=[False, True]))


def test_requires_grad_is_checked_when_it_is_set():
    """`x.requires_grad = value` as `x.requires_grad_(value)`; what was refused has changed nothing."""
    for ask in (lambda x, value: x.requires_grad_(value), lambda x, value: setattr(x, "requires_grad", value)):
        x, n = tensor([1.0, 2.0]), tensor([1, 2])
        for value in (1, 0, None, "yes", 1.0):
            with pytest.raises(TypeError, match=f"requires_grad must be True or False, got {value!r}"):
                ask(x, value)
        with pytest.raises(TypeError, match="floating-point data, got dtype int64"):
            ask(n, True)
        ask(n, False)
        ask(x, np.True_)
        assert x.requires_grad is True and n.requires_grad is False
        y = x * 2
        with pytest.raises(ValueError, match=r"leaves only; use x\.detach\(\)"):
            ask(y, False)
        assert y.requires_grad
        ask(x, False)
        assert not x.requires_grad and not (x * 2).requires_grad
    with pytest.raises(TypeError, match="requires_grad must be True or False, got None"):
        Tensor([1.0], None)


def test_the_attributes_are_described_at_the_class_alone():
    for name in ("data", "grad", "requires_grad"):
        assert getattr(Tensor, name).__doc__ == "" and f"\n{name} :" in inspect.getdoc(Tensor)


def test_view_as():
    assert tensor([1, 2]).view_as(tensor([[0.0], [0.0]])).tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([300], np.uint8),
        ([[1], [-1]], np.uint8),
        ([2**31], np.int32),
        ([256.5], np.uint8),
        ([np.nan], np.int64),
        (2.0**63, np.int64),
    ],
)
@pytest.mark.parametrize("make", [tensor, F.as_tensor])
def test_python_numbers_that_a_dtype_cannot_hold_are_refused(make, data, dtype):
    with pytest.raises(OverflowError, match=f"data of dtype {np.dtype(dtype)} must be from .* to .*, got"):
        make(data, dtype=dtype)


def test_numbers_at_the_ends_of_a_dtype():
    assert tensor([0, 255], dtype=np.uint8).tolist() == [0, 255]
    assert tensor([-(2**63), 2**63 - 1], dtype=np.int64).tolist() == [-(2**63), 2**63 - 1]
    assert tensor([2.7, -1.0], dtype=np.int32).tolist() == [2, -1]
    assert tensor([], dtype=np.uint8).shape == (0,)
    assert F.as_tensor([0.1], dtype=np.float64).item() == 0.1  # not by way of float32
    assert tensor(np.array([300]), dtype=np.uint8).item() == 44


def test_detach_in_place_forgets_the_past_but_not_what_was_made_of_it():
    x = tensor([3.0], requires_grad=True)
    state = x * 2
    before = state * 5
    assert state.detach_() is state
    assert state.is_leaf and not state.requires_grad
    assert not (state * 7).requires_grad
    before.backward()
    assert x.grad.item() == 10


def test_new_zeros():
    x = tensor(np.ones(2)).new_zeros(2, 3)
    assert x.shape == (2, 3) and x.dtype == np.float64 and not x.numpy().any()
    assert x.new_zeros((1,), dtype=np.int64).dtype == np.int64


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: minidl.tensor([1j]),
        lambda x: minidl.zeros(2, dtype="complex64"),
        lambda x: x * 1j,
        lambda x: np.array([1j]) * x,
        lambda x: x.astype("complex64"),
    ],
)
def test_complex_numbers_are_refused_where_they_arise(compute):
    with pytest.raises(TypeError, match="real numbers.*complex"):
        compute(minidl.tensor([1.0], requires_grad=True))


def test_the_device_that_programs_ask_for_first():
    device = minidl.device("cuda" if minidl.cuda.is_available() else "cpu")
    assert minidl.cuda.is_available() == minidl.kernels.cuda.gpu_status().available
    assert minidl.zeros(2, device=device).device.startswith(device)
    assert minidl.inf == float("inf") and minidl.nan != minidl.nan and minidl.pi == np.pi


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long doubles are doubles here")
def test_numbers_of_more_than_64_bits_are_refused():
    for make in (minidl.Tensor, minidl.tensor):
        with pytest.raises(TypeError, match="at most 64 bits.*got (float|complex)"):
            make(np.ones(2, np.longdouble))
    x = minidl.ones(2)
    for wider in (np.ones(2, np.longdouble), np.ones(2, complex)):
        with pytest.raises(TypeError, match="at most 64 bits.*got (float|complex)"):
            x.data = wider
    assert x.dtype == np.float32
    with pytest.raises(TypeError, match="at most 64 bits.*would be float"):
        minidl.ones(2) * np.ones(2, np.longdouble)


def test_new_tensors_like_another():
    x = minidl.tensor([1.5], dtype="float64")
    for y, values in (
        (x.new_ones(2), [1, 1]),
        (x.new_full((2,), 3), [3, 3]),
        (x.new_tensor([1, 2]), [1, 2]),
        (x.new_zeros((2,)), [0, 0]),
    ):
        assert y.dtype == np.float64 and y.tolist() == values
    assert minidl.ones(1).type_as(x).dtype == np.float64 and x.type_as(minidl.ones(1)).dtype == np.float32
    assert minidl.ones(1).type_as(x.data).dtype == np.float64 and minidl.ones(1).to(x.data).dtype == np.float64
    assert x.new_ones(1, dtype=minidl.int64).dtype == x.type(minidl.int64).dtype == np.int64


def test_equal_is_one_boolean():
    x = minidl.tensor([[1.0, 2.0]])
    assert minidl.equal(x, x * 1) is True
    assert not x.equal(minidl.tensor([1.0, 2.0])) and not x.equal(x + 1)
    nan = minidl.tensor([float("nan")])
    assert not nan.equal(nan)


@pytest.mark.parametrize("name", ["zeros", "ones", "empty", "rand", "randn"])
def test_no_dtype_is_float32_also_where_it_is_given_as_none(name):
    assert getattr(minidl, name)(2, dtype=None).dtype == np.float32


def test_no_dtype_of_the_others():
    assert minidl.eye(2, dtype=None).dtype == minidl.linspace(0, 1, 3, dtype=None).dtype == np.float32
    assert minidl.randint(3, (2,), dtype=None).dtype == minidl.randperm(3, dtype=None).dtype == np.int64
    assert minidl.full((2,), 1.5, dtype=None).dtype == minidl.arange(3.0, dtype=None).dtype == np.float32


def test_what_pytorchs_programs_say_about_copies_is_taken():
    x = minidl.ones(2)
    assert x.to("cpu", non_blocking=True) is x
    assert minidl.finfo(x.dtype).eps == np.finfo(np.float32).eps and minidl.iinfo(minidl.int64).max == 2**63 - 1
