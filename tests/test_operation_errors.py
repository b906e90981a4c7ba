"""Wrong calls: a ValueError, TypeError or IndexError whose text names the argument and the sizes."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import Tensor


def x(*shape, dtype=np.float32):
    return Tensor(np.ones(shape, dtype))


LABELS = Tensor(np.array([0, 1]))

CALLS = [
    (lambda: x(2, 3) + x(4), ValueError, r"\(2,3\).*\(4,\)"),
    (lambda: x(2, 3).reshape(4, 2), ValueError, r"\(4, 2\).*6 numbers.*\(2, 3\)"),
    (lambda: x(2, 3).view(-1, -1), ValueError, r"\(-1, -1\)"),
    (lambda: x(2, 3).sum(2), IndexError, "dim 2 .*2 dimensions"),
    (lambda: x(2, 3).sum((0, -2)), ValueError, "twice"),
    (lambda: x(2, 3).sum("0"), TypeError, "dim must be an integer"),
    (lambda: x(2, 0).amax(1), ValueError, r"max of no values.*\(2, 0\)"),
    (lambda: x(2, 0).argmax(1), ValueError, r"argmax of no values.*\(2, 0\)"),
    (lambda: x(2, 3).softmax(2), IndexError, "dim 2"),
    (lambda: x(2, 3, dtype=np.int64).softmax(1), TypeError, "floating point, got int64"),
    (lambda: x(2, 3).permute(0), ValueError, "each of the 2 axes"),
    (lambda: x(2, 3).transpose(0, 2), IndexError, "dim 2"),
    (lambda: x(2, 3).expand(3), ValueError, "at least the 2 sizes"),
    (lambda: x(2, 3).expand(2, 4), ValueError, r"\(2, ?3\).*\(2, ?4\)"),
    (lambda: x(2, 3).flatten(1, 0), ValueError, "start_dim"),
    (lambda: F.cat([x(2, 3), x(2, 4)]), ValueError, r"tensors\[1\] has shape \(2, 4\).*\(2, 3\)"),
    (lambda: F.cat([]), ValueError, "at least one"),
    (lambda: F.stack([x(2), x(3)]), ValueError, r"\(3,\).*\(2,\)"),
    (lambda: x(4).split([1, 2]), ValueError, "adds up to 3, the axis has 4"),
    (lambda: F.pad(x(2, 3), (1,)), ValueError, "two numbers"),
    (lambda: F.pad(x(1, 1, 2, 3), (3, 0), "reflect"), ValueError, r"size 3 by less.*\(3, 0\)"),
    (lambda: F.pad(x(2, 3), (1, 1), "wrap"), ValueError, "mode.*'wrap'"),
    (lambda: x(2, 3)[5], IndexError, "5 .*size 2"),
    (lambda: x(2, 3)[x(2)], IndexError, "integers or booleans, got float32"),
    (lambda: x(2, 3).gather(1, Tensor(np.array([[3]]))), IndexError, "from 0 to 2 .*3"),
    (lambda: x(2, 3).gather(1, Tensor(np.array(0))), ValueError, r"as many dimensions as x, got \(\) for x \(2, 3\)"),
    (lambda: x(2).gather(0, x(2) > 0), TypeError, "index must hold integers, got bool"),
    (lambda: x(2).take_along_dim(x(2) > 0, 0), TypeError, "indices must hold integers, got bool"),
    (lambda: x(2, 3).index_select(1, Tensor(np.array([0, -1]))), IndexError, "from 0 to 2 along dim 1.*-1"),
    (lambda: x(2, 3).index_select(0, Tensor(np.array([2]))), IndexError, "index must be from 0 to 1 along dim 0.*2"),
    (lambda: x(2, 3).index_select(0, x(2) > 0), TypeError, "index must hold integers, got bool"),
    (lambda: x(2, 3).index_select(0, x(2)), TypeError, "index must hold integers, got float32"),
    (lambda: x(2, 3).index_select(0, Tensor(np.array([[0]]))), ValueError, r"one dimension, got shape \(1, 1\)"),
    (lambda: F.index_add(x(1), Tensor(np.array([7])), (5,)), IndexError, "key must be from -5 to 4, got 7 to 7"),
    (lambda: F.index_add(x(1), Tensor(np.array([-6])), (5,)), IndexError, "key must be from -5 to 4, got -6 to -6"),
    (lambda: F.where(x(2), x(2), x(2)), TypeError, "condition must be bool, got float32; write condition != 0"),
    (lambda: x(2).where(LABELS, 0.0), TypeError, "condition must be bool, got int64"),
    (lambda: F.where(0.5, x(2), x(2)), TypeError, "condition must be bool, got float64"),
    (lambda: x(2).masked_fill(x(2), 0.0), TypeError, "mask must be bool, got float32"),
    (lambda: x(2).masked_fill(x(2, dtype=np.uint8), 0.0), TypeError, "mask must be bool, got uint8"),
    (lambda: x(2).masked_select(LABELS), TypeError, "mask must be bool, got int64"),
    (lambda: x(3).scatter(0, Tensor(np.array([3])), 1.0), IndexError, "from 0 to 2 along dim 0, got 3"),
    (lambda: x(3).scatter(0, Tensor(np.array([-1])), 1.0), IndexError, "from 0 to 2 along dim 0, got -1"),
    (lambda: x(3).scatter(0, LABELS, x(1)), ValueError, r"src must be as long as index \(2,\) .*got \(1,\)"),
    (lambda: x(3, 1).scatter_add(0, LABELS, x(2)), ValueError, r"as many dimensions as x, got \(2,\) for x \(3, 1\)"),
    (lambda: x(3).scatter_add(0, LABELS, LABELS), TypeError, "src must be float32 like x, got int64"),
    (lambda: x(3).scatter_add(0, x(3) > 0, x(3)), TypeError, "index must hold integers, got bool"),
    (lambda: x(2, 0).median(1), ValueError, r"median of no values.*\(2, 0\)"),
    (lambda: x(2, 3).median((0, 1)), TypeError, r"dim must be one integer, got \(0, 1\)"),
    (lambda: (x(2) > 0).median(), TypeError, "median needs numbers, got bool"),
    (lambda: F.one_hot(LABELS, 1), ValueError, "from 0 to 0"),
    (lambda: x(3).topk(4), ValueError, "from 0 to 3.*4"),
    (lambda: x(2, 3) @ x(2, 3), ValueError, r"\(2, 3\).*\(2, 3\)"),
    (lambda: x(2, 3) @ x(3, 2, dtype=np.float64), TypeError, "float32.*float64"),
    (lambda: x(3) @ x(2), ValueError, r"\(3,\).*\(2,\)"),
    (lambda: x(2, 3) @ x(), ValueError, r"\(2, 3\) and \(\)"),
    (lambda: F.dot(x(3), 2), TypeError, "dot needs two Tensors or arrays, got Tensor and int"),
    (lambda: x(3).outer([1.0]), TypeError, "outer needs two Tensors or arrays, got Tensor and list"),
    (lambda: F.linear(x(2, 3), x(4, 2)), ValueError, r"\(2, 3\).*\(4, 2\)"),
    (lambda: F.linear(x(2, 3), x(4, 3), x(3)), ValueError, r"b must be \(4,\)"),
    (lambda: F.einsum("ij,jk", x(2, 3)), ValueError, "2 operands, 1 were given"),
    (lambda: F.einsum("ij,jk", x(2, 3), x(2, 3)), ValueError, r"sizes 3 and 2"),
    (lambda: F.einsum("i->i", x(2, 3)), ValueError, r"operand 0 of shape \(2, 3\)"),
    (lambda: F.conv2d(x(1, 2, 4, 4), x(3, 3, 3, 3)), ValueError, "2 input channels"),
    (lambda: F.conv2d(x(1, 2, 2, 2), x(3, 2, 3, 3)), ValueError, r"kernel_size \(3, 3\).*input size \(2, 2\)"),
    (lambda: F.conv2d(x(1, 2, 4, 4), x(3, 2, 3, 3), stride=0), ValueError, "stride must be at least 1, got 0"),
    (lambda: F.conv2d(x(1, 2, 4, 4), x(3, 2, 3, 3), groups=2), ValueError, "groups"),
    (lambda: F.conv2d(x(1, 2, 4, 4), x(3, 2, 3, 3), padding="half"), ValueError, "'same' or 'valid', got 'half'"),
    (lambda: F.conv2d(x(1, 2, 4, 4), x(3, 2, 3, 3), x(2)), ValueError, "3 output channels"),
    (lambda: F.conv2d(x(1, 2, 4, 4), x(3, 2, 3, 3, dtype=np.float64)), TypeError, "float32.*float64"),
    (lambda: F.conv_transpose2d(x(1, 2, 4, 4), x(2, 2, 3, 3), output_padding=1), ValueError, "output_padding"),
    (lambda: F.max_pool2d(x(1, 1, 4, 4), 2, padding=2), ValueError, "at most half"),
    (lambda: F.max_pool2d(x(4, 4), 2), ValueError, r"\(4, 4\)"),
    (lambda: F.interpolate(x(1, 1, 2, 2)), ValueError, "size or scale_factor"),
    (lambda: F.interpolate(x(1, 1, 2, 2), size=0), ValueError, "positive"),
    (lambda: F.batch_norm(x(1, 3), training=True), ValueError, r"more than one number a channel.*\(1, 3\)"),
    (lambda: F.layer_norm(x(2, 3), 4), ValueError, r"\(2, 3\).*\(4,\)"),
    (lambda: F.group_norm(x(2, 3), 2), ValueError, r"\(2, 3\), got 2"),
    (lambda: F.dropout(x(2), 1.5), ValueError, "from 0 to 1, got 1.5"),
    (lambda: F.scaled_dot_product_attention(*[x(2, 3)] * 3, LABELS), TypeError, "attn_mask must be bool.*got int64"),
    (lambda: F.embedding(Tensor(np.array([3])), x(3, 2)), IndexError, "from 0 to 2"),
    (lambda: F.cross_entropy(x(2, 3), Tensor(np.array([0, 3]))), IndexError, "from 0 to 2, got 3"),
    (lambda: F.cross_entropy(x(2, 3), Tensor(np.array([0, 1, 2]))), ValueError, r"\(2,\).*\(2, 3\).*\(3,\)"),
    (lambda: F.cross_entropy(x(2, 3, dtype=np.int64), LABELS), TypeError, "floating point, got int64"),
    (lambda: F.cross_entropy(x(2, 3), LABELS, reduction="average"), ValueError, "reduction.*'average'"),
    (lambda: F.mse_loss(x(2, 1), x(2)), ValueError, r"\(2, 1\) and \(2,\)"),
    (lambda: F.binary_cross_entropy(x(2) * 2, x(2)), ValueError, "from 0 to 1"),
    (lambda: F.mse_loss(x(2), x(2, dtype=np.float64)), TypeError, "mse_loss.*float32 and float64.*astype"),
    (lambda: F.kl_div(x(2), x(2, dtype=np.float64)), TypeError, "kl_div.*float32 and float64"),
    (
        lambda: F.binary_cross_entropy_with_logits(x(2), x(2, dtype=np.float64)),
        TypeError,
        "binary_cross_entropy_with_logits.*float32 and float64",
    ),
    (lambda: F.cross_entropy(x(2, 3), x(2, 3, dtype=np.float64)), TypeError, "float32 and float64"),
    (lambda: F.cross_entropy(x(2, 3), x(2)), TypeError, r"class numbers \(integers\).*float32 of shape \(2,\)"),
    (lambda: F.linear(x(2, 3), x(4, 3), x(4, dtype=np.float64)), TypeError, "b must have the dtype of w.*float64"),
    (lambda: x(2).to("gpu"), TypeError, "'cpu' or 'cuda'.*got 'gpu'"),
    (lambda: F.nll_loss(x(2, 3), LABELS, weight=x(4)), ValueError, r"each of 3 classes.*\(4,\)"),
    (lambda: F.cross_entropy(x(2, 3), x(2, 3), weight=x(1, 3)), ValueError, r"each of 3 classes.*\(1, 3\)"),
    (lambda: F.cross_entropy(x(2, 3), LABELS, x(2), label_smoothing=0.1), ValueError, r"each of 3 classes.*\(2,\)"),
    (lambda: F.cross_entropy(x(2, 3), [0, 1]), TypeError, "target must be a Tensor or an array, got list"),
    (lambda: F.mse_loss([1.0], x(1)), TypeError, "mse_loss: input must be a Tensor or an array, got list"),
    (lambda: minidl.nonsense, AttributeError, r"no attribute 'nonsense'$"),
    (lambda: x(2).clip(), ValueError, "min, max or both"),
    (lambda: F.softmax([1.0, 2.0], 0), TypeError, "softmax: x must be a Tensor or an array, got list"),
    (lambda: F.kl_div(x(2), 1.0), TypeError, "kl_div: target must be a Tensor or an array, got float"),
    (lambda: F.kl_div(x(), x(), reduction="batchmean"), ValueError, "kl_div: .*axis of samples"),
    (lambda: F.nll_loss(x(), Tensor(1)), ValueError, r"nll_loss: input must be \(C,\).*got a number"),
    (lambda: F.adaptive_avg_pool2d(x(1, 1, 4, 4), (2, 2, 2)), ValueError, r"one size or two.*\(2, 2, 2\)"),
    (lambda: F.adaptive_avg_pool2d(x(4, 4), 1), ValueError, r"\(C, H, W\).*\(4, 4\)"),
    (lambda: Tensor([1.0], requires_grad=True).register_hook(3), TypeError, "hook must be a function.*int"),
    (lambda: F.gelu(x(2), "sigmoid"), ValueError, "'none' or 'tanh', got 'sigmoid'"),
]


@pytest.mark.parametrize(("call", "kind", "text"), CALLS, ids=[str(i) for i in range(len(CALLS))])
def test_a_wrong_call_is_refused_by_name_and_size(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
