"""Attention and the Transformer beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import minidl.functional as F
from minidl import nn

from .with_torch import as_ours, as_torch, assert_close, assert_same_layer, torch

NEVER_LOOK = np.random.default_rng(9).random((5, 6)) < 0.4  # True hides a key
NEVER_LOOK[:, 2] = False


def tensors(*shapes, seed=0):
    random = np.random.default_rng(seed)
    arrays = [random.normal(size=shape) for shape in shapes]
    return [as_torch(a) for a in arrays], [as_ours(a) for a in arrays]


def assert_same_attention(shapes, ours_options=None, **options):
    theirs, ours = tensors(*shapes)
    y = torch.nn.functional.scaled_dot_product_attention(*theirs, **options)
    our_y = F.scaled_dot_product_attention(*ours, **(options if ours_options is None else ours_options))
    assert_close(our_y, y, 1e-12, "output")
    dy = np.random.default_rng(1).normal(size=tuple(y.shape))
    y.backward(torch.from_numpy(dy))
    our_y.backward(dy)
    for x, our_x in zip(theirs, ours):
        assert_close(our_x.grad, x.grad, 1e-12, "gradient")


SHAPES = [(2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)]


@pytest.mark.parametrize(
    "shapes",
    [SHAPES, [(5, 4), (6, 4), (6, 2)], [(2, 5, 4), (2, 6, 4), (2, 6, 2)], [(2, 3, 5, 4), (2, 1, 6, 4), (2, 1, 6, 7)]],
    ids=str,
)
@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.3}], ids=str)
def test_attention(shapes, options):
    assert_same_attention(shapes, **options)


@pytest.mark.parametrize("heads", [1, 2, 6])
@pytest.mark.parametrize("options", [{}, {"is_causal": True}], ids=str)
def test_grouped_queries(heads, options):
    assert_same_attention([(2, 6, 5, 4), (2, heads, 6, 4), (2, heads, 6, 7)], enable_gqa=True, **options)


def test_boolean_mask():
    assert_same_attention(SHAPES, {"attn_mask": ~NEVER_LOOK}, attn_mask=torch.from_numpy(~NEVER_LOOK))


def test_mask_of_numbers():
    mask = np.where(NEVER_LOOK, -np.inf, np.random.default_rng(3).normal(size=(2, 1, 5, 6)))
    assert_same_attention(SHAPES, {"attn_mask": mask}, attn_mask=torch.from_numpy(mask))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("mask", [None, "causal", "booleans", "numbers"])
@np.errstate(over="ignore", invalid="ignore")
def test_scores_that_overflow(mask, sign):
    """To -inf, all of a query: zeros. To inf: NaN."""
    theirs, ours = tensors((5, 4), (6, 4), (6, 7))
    for x in (theirs, ours):
        x[0].data[2], x[1].data[:] = -sign * 1e200, 1e200
    array = {"booleans": ~NEVER_LOOK, "numbers": np.zeros((5, 6))}.get(mask)
    options = {"is_causal": mask == "causal", "scale": 1.0}
    y = F.scaled_dot_product_attention(*ours, array, **options)
    p = F.attention_weights(*ours[:2], array, **options)
    their_mask = None if array is None else torch.from_numpy(array)
    expected = torch.nn.functional.scaled_dot_product_attention(*theirs, their_mask, **options)
    np.testing.assert_array_equal(y[2].numpy(), 0 if sign == 1 else np.nan)
    np.testing.assert_array_equal(y[2].numpy(), expected[2].detach().numpy())
    np.testing.assert_array_equal((p[2] @ ours[2]).numpy(), y[2].numpy())


def test_a_query_that_sees_no_key():
    mask = ~NEVER_LOOK
    mask[3] = False
    assert_same_attention(SHAPES, {"attn_mask": mask}, attn_mask=torch.from_numpy(mask))
    numbers = np.where(mask, 0.5, -np.inf)
    assert_same_attention(SHAPES, {"attn_mask": numbers}, attn_mask=torch.from_numpy(numbers))


def multihead(**options):
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(8, 2, **options)
    with torch.no_grad():  # the biases start as zeros, which would hide a mistake in them
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return theirs, nn.MultiheadAttention(8, 2, **options)


def inputs(batch_first=False, batched=True, kdim=8, vdim=8):
    random = np.random.default_rng(2)
    arrays = [random.normal(size=(3, length, size)) for length, size in ((5, 8), (6, kdim), (6, vdim))]
    if not batched:
        return [x[0] for x in arrays]
    return arrays if batch_first else [x.swapaxes(0, 1) for x in arrays]


@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"kdim": 3, "vdim": 4}, {"vdim": 4, "batch_first": True, "bias": False}], ids=str
)
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("average", [True, False])
def test_multihead_attention(options, batched, average):
    sizes = {key: value for key, value in options.items() if key != "bias"}
    assert_same_layer(*multihead(**options), *inputs(batched=batched, **sizes), average_attn_weights=average)


def test_multihead_attention_of_a_sequence_to_itself():
    theirs, ours = multihead(batch_first=True)
    theirs, ours = theirs.double(), ours.double()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    (x,), (our_x,) = tensors((3, 5, 8))
    y, weights = theirs(x, x, x, need_weights=False)
    our_y, our_weights = ours(our_x, our_x, our_x, need_weights=False)
    assert weights is our_weights is None
    assert_close(our_y, y, 1e-12, "output")
    y.pow(2).sum().backward()
    our_y.pow(2).sum().backward()
    assert_close(our_x.grad, x.grad, 1e-11, "gradient")
    assert_close(ours.in_proj_weight.grad, theirs.in_proj_weight.grad, 1e-11, "gradient of the weight")


PADDING = np.array([[False] * 6, [False] * 4 + [True] * 2, [False] * 5 + [True]])
MASKS = {
    "padding": {"key_padding_mask": PADDING},
    "padding numbers": {"key_padding_mask": np.where(PADDING, -np.inf, 0.25)},
    "mask": {"attn_mask": NEVER_LOOK},
    "mask numbers": {"attn_mask": np.where(NEVER_LOOK, -np.inf, 0.5)},
    "mask of every head": {"attn_mask": np.random.default_rng(4).normal(size=(6, 5, 6))},
    "both": {"attn_mask": NEVER_LOOK, "key_padding_mask": PADDING},
    "both numbers": {"attn_mask": np.where(NEVER_LOOK, -9.0, 0.5), "key_padding_mask": np.where(PADDING, -np.inf, 0.0)},
}


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("need_weights", [True, False])
def test_masks_of_multihead_attention(masks, need_weights):
    assert_same_layer(*multihead(), *inputs(), need_weights=need_weights, **masks)


def test_causal_multihead_attention():
    causal = np.triu(np.ones((5, 6), bool), 1)
    theirs, ours = multihead()
    assert_same_layer(theirs, ours, *inputs(), attn_mask=causal, need_weights=False)
    arrays = inputs()
    np.testing.assert_array_equal(ours(*arrays, is_causal=True)[0].numpy(), ours(*arrays, attn_mask=causal)[0].numpy())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize(
    "options", [{}, {"norm_first": True}, {"batch_first": True, "bias": False}, {"layer_norm_eps": 0.1}], ids=str
)
def test_encoder_layer(options, activation, training):
    options = dict(dim_feedforward=12, dropout=0.0, activation=activation, **options)
    theirs, ours = torch.nn.TransformerEncoderLayer(8, 2, **options), nn.TransformerEncoderLayer(8, 2, **options)
    x = np.random.default_rng(5).normal(size=(5, 3, 8))
    assert_same_layer(theirs.train(training), ours.train(training), x)


def test_evaluation_drops_nothing():
    options = dict(dim_feedforward=12, dropout=0.5)
    theirs, ours = torch.nn.TransformerEncoderLayer(8, 2, **options), nn.TransformerEncoderLayer(8, 2, **options)
    x = np.random.default_rng(5).normal(size=(5, 3, 8))
    assert_same_layer(theirs.eval(), ours.eval(), x)
    assert (ours.train()(x) != ours(x)).any()


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_encoder(norm, masked):
    def build(library):
        layer = library.TransformerEncoderLayer(8, 2, 12, 0.0)
        return library.TransformerEncoder(layer, 3, library.LayerNorm(8) if norm else None)

    torch.manual_seed(0)
    x = np.random.default_rng(5).normal(size=(6, 3, 8))
    masks = {"mask": np.triu(np.ones((6, 6), bool), 1), "src_key_padding_mask": PADDING} if masked else {}
    assert_same_layer(build(torch.nn), build(nn), x, **masks)


CAUSAL = np.triu(np.ones((5, 5), bool), 1)
DECODER_MASKS = {
    "none": {},
    "causal": {"tgt_mask": CAUSAL},
    "padding": {"tgt_key_padding_mask": np.eye(2, 5, 3, bool), "memory_key_padding_mask": np.eye(2, 7, 2, bool)},
    "memory": {"tgt_mask": CAUSAL, "memory_mask": np.eye(5, 7, 1, bool)},
}


@pytest.mark.parametrize("masks", DECODER_MASKS)
@pytest.mark.parametrize(
    "options",
    [{}, {"norm_first": True, "activation": "gelu"}, {"batch_first": True, "bias": False, "layer_norm_eps": 0.1}],
    ids=str,
)
def test_decoder_layer(options, masks):
    random = np.random.default_rng(4)
    tgt, memory = random.normal(size=(5, 2, 8)), random.normal(size=(7, 2, 8))
    if options.get("batch_first"):
        tgt, memory = tgt.swapaxes(0, 1), memory.swapaxes(0, 1)
    options = {"dim_feedforward": 12, "dropout": 0.0} | options
    theirs, ours = torch.nn.TransformerDecoderLayer(8, 2, **options), nn.TransformerDecoderLayer(8, 2, **options)
    assert_same_layer(theirs, ours, tgt, memory, **DECODER_MASKS[masks])


@pytest.mark.parametrize("norm", [False, True])
def test_decoder(norm):
    def decoder(library):
        layer = library.TransformerDecoderLayer(8, 2, 12, 0.0)
        return library.TransformerDecoder(layer, 3, library.LayerNorm(8) if norm else None)

    random = np.random.default_rng(5)
    tgt, memory = random.normal(size=(5, 2, 8)), random.normal(size=(7, 2, 8))
    assert_same_layer(decoder(torch.nn), decoder(nn), tgt, memory, tgt_mask=CAUSAL)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_transformer():
    random = np.random.default_rng(6)
    src, tgt = random.normal(size=(7, 2, 8)), random.normal(size=(5, 2, 8))
    theirs, ours = torch.nn.Transformer(8, 2, 2, 2, 12, 0.0), nn.Transformer(8, 2, 2, 2, 12, 0.0)
    masks = {"tgt_mask": CAUSAL, "src_key_padding_mask": np.eye(2, 7, 2, bool)}
    assert_same_layer(theirs, ours, src, tgt, memory_key_padding_mask=np.eye(2, 7, 2, bool), **masks)
    np.testing.assert_array_equal(
        nn.Transformer.generate_square_subsequent_mask(4).numpy(),
        torch.nn.Transformer.generate_square_subsequent_mask(4).numpy(),
    )
    assert nn.Transformer.generate_square_subsequent_mask(4, device="cpu", dtype=np.float64).dtype == np.float64


def test_a_decoder_sees_nothing_that_comes_later():
    model = nn.Transformer(8, 2, 1, 2, 12, batch_first=True).eval()
    random = np.random.default_rng(7)
    src, tgt = (random.normal(size=(2, length, 8)).astype(np.float32) for length in (6, 5))
    changed = tgt.copy()
    changed[:, 3:] += 1
    before, after = (model(src, x, tgt_is_causal=True).numpy() for x in (tgt, changed))
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before[:, 3:] - after[:, 3:]).min() > 0
    assert all(p.numpy().std() > 0 for p in model.parameters() if p.ndim > 1)
