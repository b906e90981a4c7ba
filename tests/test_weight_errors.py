"""Errors of functions with weights or a mask name the functions' own arguments, not those of the kernels behind."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minidl.functional as F
from minidl import Tensor
from minidl.functional.operands import ErrorsNaming


def x(*shape, dtype=np.float32):
    return Tensor(np.ones(shape, dtype))


IMAGES, DOUBLE = x(1, 2, 4, 4), np.float64

CALLS = [
    (lambda: F.linear(x(2, 3), x(4, 2)), ValueError, r"weight \(K, C\) with one C, got x \(2, 3\) and weight \(4, 2\)"),
    (lambda: F.linear_relu(x(2, 3), x(4, 3), x(3)), ValueError, r"linear_relu: bias must be \(4,\) for weight"),
    (lambda: F.conv2d(IMAGES, x(3, 1, 2, 2)), ValueError, r"channels that weight .* and weight \(3, 1, 2, 2\)"),
    (lambda: F.conv2d(IMAGES, x(3, 2, 2, 2, dtype=DOUBLE)), TypeError, "got x float32 and weight float64"),
    (lambda: F.conv2d(IMAGES, None), TypeError, "weight must be a NumPy or CuPy array, got NoneType"),
    (lambda: F.conv2d(IMAGES, x(3, 2, 2, 2), x(2)), ValueError, r"bias must have .* the 3 .*, got shape \(2,\)"),
    (lambda: F.conv1d(x(1, 2, 4), x(3, 1, 2)), ValueError, r"x \(N, C, W\) .* the 1 channels .*weight \(3, 1, 2\)$"),
    (lambda: F.conv1d(x(5, 4, 2), x(3, 2, 2)), ValueError, r"x \(5, 4, 2\) and .*; x.transpose\(-2, -1\) brings it"),
    (lambda: F.conv_transpose1d(x(1, 2, 4), x(3, 1, 2)), ValueError, r"with one C, got \(1, 2, 4\) and \(3, 1, 2\)"),
    (lambda: F.conv2d_relu_pool(IMAGES, x(3, 1, 2, 2)), ValueError, r"and weight \(3, 1, 2, 2\)"),
    (lambda: F.upsample_conv2d(IMAGES, x(3, 1, 3, 3)), ValueError, r"and weight \(3, 1, 3, 3\)"),
    (lambda: F.conv_transpose2d(IMAGES, x(3, 1, 2, 2)), ValueError, r"x must be .* and weight \(C, K/groups, R, S\)"),
    *(
        (lambda more=more: F.conv_transpose2d(IMAGES, x(2, 1, 2, 2, dtype=DOUBLE), **more), TypeError, "got x .*weight")
        for more in ({}, {"output_padding": 1, "dilation": 2})
    ),
    (lambda: F.batch_norm(x(2, 3), weight=x(3, dtype=DOUBLE)), TypeError, "weight must have the dtype of x"),
    (lambda: F.batch_norm(x(2, 3), x(3, dtype=DOUBLE), x(3)), TypeError, "running_mean must have the dtype of x"),
    (lambda: F.batch_norm(x(2, 3), x(3), x(3, dtype=DOUBLE)), TypeError, "running_var or weight must have the dtype"),
    (lambda: F.layer_norm(x(2, 3), 3, None, x(3, dtype=DOUBLE)), TypeError, "bias must have the dtype of x"),
    (lambda: F.group_norm(x(2, 4), 2, x(3)), ValueError, r"weight must have one number for each channel"),
    (lambda: F.scaled_dot_product_attention(x(3, 4), x(5, 4), x(5, 2), x(3, 4)), ValueError, "attn_mask must broad"),
    (lambda: F.attention_weights(x(3, 4), x(5, 4), x(3, 4)), ValueError, r"scores \(3, 5\) and attn_mask \(3, 4\)"),
    (lambda: F.bilinear(x(2, 4), x(2, 3), x(5, 4, 3), x(4)), ValueError, r"bias must be \(5,\) .* got \(4,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), CALLS, ids=[str(i) for i in range(len(CALLS))])
def test_a_wrong_weight_or_bias_is_refused_by_its_own_name(call, kind, text):
    with pytest.raises(kind, match=text) as error:
        call()
    assert not re.search(r"\b(w|b|dy|mask)\b", str(error.value)), "a formula's letter instead of the argument's name"


def test_only_whole_words_are_renamed_and_an_error_stays_the_object_that_it_was():
    raised = ValueError("w below b, by (w, b)")
    with pytest.raises(ValueError, match=r"^weight below bias, by \(weight, bias\)$") as error:
        with ErrorsNaming(w="weight", b="bias"):
            raise raised
    assert error.value is raised
