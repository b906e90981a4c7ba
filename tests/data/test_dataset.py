"""Datasets, splits and the making of batches."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import minidl
from minidl.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    ImageDataset,
    Subset,
    TensorDataset,
    TextDataset,
    default_collate,
    random_split,
)
from minidl.data.collate import join_batches


def test_tensor_dataset_items_and_batches():
    x, y = np.arange(12.0).reshape(4, 3), np.array([3, 2, 1, 0])
    dataset = TensorDataset(x, y)
    assert len(dataset) == 4
    item = dataset[2]
    assert np.array_equal(item[0], x[2]) and item[1] == 1
    batch = dataset.get_batch(np.array([3, 0]))
    assert np.array_equal(batch[0], x[[3, 0]]) and batch[1].tolist() == [0, 3]
    assert sum(1 for _ in dataset) == 4  # ends with IndexError, so a plain loop works


def test_tensor_dataset_of_tensors():
    dataset = TensorDataset(minidl.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert isinstance(dataset[1][0], minidl.Tensor) and dataset[1][0].tolist() == [3.0, 4.0]
    assert isinstance(dataset.get_batch(np.array([1]))[0], np.ndarray)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ((), "at least one array"),
        ((np.zeros(3), np.zeros(4)), r"same length, got \[3, 4\]"),
        ((np.float32(1),), "no axis of samples"),
    ],
)
def test_tensor_dataset_refuses(arrays, message):
    with pytest.raises(ValueError, match=message):
        TensorDataset(*arrays)


def test_subset_of_subset_and_its_classes():
    dataset = ImageDataset(np.zeros((5, 1, 2, 2), np.uint8), np.arange(5), "abcde")
    subset = Subset(Subset(dataset, [4, 2, 0]), [2, 0])
    assert [int(label) for _, label in (subset[0], subset[1])] == [0, 4]
    assert subset.batched and subset.get_batch(np.array([1, 0]))[1].tolist() == [4, 0]
    assert subset.classes == tuple("abcde")


class Asked(TensorDataset):
    """Remembers the batches that it was asked for."""

    def get_batch(self, indices):
        self.asked = indices.tolist()
        return super().get_batch(indices)


def test_datasets_one_after_the_other_are_asked_for_their_part_of_a_batch():
    first, last = Asked(np.arange(3.0), np.arange(3)), Asked(minidl.arange(3, 7.0), np.arange(3, 7))
    both = ConcatDataset([first, TensorDataset(np.zeros(0), np.zeros(0, int)), last])
    assert both.batched and not (both + [1, 2]).batched and both.cumulative_sizes == [3, 3, 7]
    x, y = both.get_batch(np.array([5, 0, 6, 2, 3]))
    assert x.tolist() == y.tolist() == [5, 0, 6, 2, 3] and (first.asked, last.asked) == ([0, 2], [2, 3, 0])
    assert both.get_batch(np.array([4, 3]))[1].tolist() == [4, 3] and first.asked == [0, 2]
    shuffled = [y.tolist() for _, y in DataLoader(both, 4, shuffle=True, generator=np.random.default_rng(0))]
    assert shuffled == [[both[i][1] for i in batch] for batch in np.split(np.random.default_rng(0).permutation(7), [4])]


def test_batches_of_dicts_and_texts_are_joined():
    class Texts(Dataset):
        batched = True

        def __init__(self, texts):
            self.texts = texts

        def __len__(self):
            return len(self.texts)

        def get_batch(self, indices):
            return {"text": [self.texts[i] for i in indices], "both": (indices, minidl.tensor(indices))}

    batch = (Texts(["a", "b"]) + Texts(["c"])).get_batch(np.array([2, 1, 0]))
    assert batch["text"] == ["c", "b", "a"] and [x.tolist() for x in batch["both"]] == [[0, 1, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match="different keys"):
        join_batches([{"a": 1}, {"b": 1}], np.arange(2))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (TensorDataset(np.zeros((2, 3)), np.zeros(2)), r"one shape, got \[\(2,\), \(3,\)\]"),
        (TensorDataset(np.zeros((2, 2))), r"different numbers of fields: \[1, 2\]"),
    ],
)
def test_parts_of_a_batch_that_do_not_go_together(other, message):
    with pytest.raises(ValueError, match=message):
        (TensorDataset(np.zeros((2, 2)), np.zeros(2)) + other).get_batch(np.array([0, 3]))


def test_subset_refuses_indices_out_of_range():
    with pytest.raises(IndexError, match=r"0\.\.2, got 0\.\.3"):
        Subset(TensorDataset(np.zeros(3)), [0, 3])
    with pytest.raises(IndexError, match=r"0\.\.2, got -4\.\.0"):
        Subset(TensorDataset(np.zeros(3)), [0, -4])
    with pytest.raises(TypeError, match=r"indices must be integers, got bool; of a mask, give np.flatnonzero\(mask\)"):
        Subset(TensorDataset(np.zeros(3)), [True, False, True])  # not the samples 1, 0 and 1
    with pytest.raises(ValueError, match=r"indices must be one-dimensional, got shape \(1, 2\)"):
        Subset(TensorDataset(np.zeros(3)), [[0, 1]])
    assert len(Subset(TensorDataset(np.zeros(3)), [])) == 0
    assert Subset(TensorDataset(np.arange(3)), [-3])[0] == (0,)


def test_negative_indices_of_a_subset_count_from_the_end_in_batches_too():
    pieces = TextDataset(np.arange(9), "abcdefghi", sequence_length=2)
    subset = Subset(pieces, [-1, 0, -4])
    assert subset.indices.tolist() == [3, 0, 0]
    x, y = next(iter(DataLoader(subset, 3)))
    np.testing.assert_array_equal(x, [[6, 7], [0, 1], [0, 1]])
    np.testing.assert_array_equal(x, [subset[k][0] for k in range(3)])
    np.testing.assert_array_equal(y, x + 1)


@given(st.integers(1, 200), st.lists(st.integers(1, 10), min_size=1, max_size=5))
def test_random_split_parts_share_nothing_and_lack_nothing(n, shares):
    fractions = [share / sum(shares) for share in shares]
    parts = random_split(TensorDataset(np.arange(n)), fractions, np.random.default_rng(1))
    assert sorted(np.concatenate([part.indices for part in parts]).tolist()) == list(range(n))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * n) <= 1 + 1e-9


def test_random_split_is_the_generators():
    dataset = TensorDataset(np.arange(50))
    first, second = (random_split(dataset, [30, 20], np.random.default_rng(7))[0].indices for _ in range(2))
    assert np.array_equal(first, second) and not np.array_equal(first, np.sort(first))
    minidl.manual_seed(3)
    by_stream = random_split(dataset, [30, 20])[0].indices
    minidl.manual_seed(3)
    assert np.array_equal(by_stream, random_split(dataset, [30, 20])[0].indices)


@pytest.mark.parametrize("lengths", [[3, 3], [0.5, 0.6], [], [-1, 11]])
def test_random_split_refuses(lengths):
    with pytest.raises(ValueError, match="lengths must"):
        random_split(TensorDataset(np.zeros(10)), lengths)


def test_an_unfinished_dataset_says_what_it_lacks():
    class Unfinished(Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Unfinished must define __len__"):
        len(Unfinished())
    with pytest.raises(NotImplementedError, match="Unfinished must define __getitem__"):
        Unfinished()[0]


def test_a_sample_of_a_batched_dataset_is_a_batch_of_one():
    class Squares(Dataset):
        batched = True

        def get_batch(self, indices):
            return indices, indices**2

    class Numbers(Squares):
        def get_batch(self, indices):
            return indices

    class Named(Squares):
        def get_batch(self, indices):
            return {"number": indices, "square": indices**2}

    assert Squares()[3] == (3, 9) and Numbers()[3] == 3 and Named()[3] == {"number": 3, "square": 9}


def test_image_dataset_hands_out_0_to_1():
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), dtype=np.uint8)
    dataset = ImageDataset(images, np.arange(6) % 2, ["cat", "dog"])
    batch, labels = dataset.get_batch(np.array([5, 1]))
    assert batch.dtype == np.float32 and labels.dtype == np.int64
    np.testing.assert_array_equal(batch, images[[5, 1]].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(dataset[5][0], batch[0])
    assert dataset.images is images  # bytes stay as they are, not copied


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_labels_of_images_are_int64_whatever_they_came_in(dtype):
    dataset = ImageDataset(np.zeros((2, 1, 2, 2), np.uint8), np.array([0, 1], dtype), "ab")
    assert dataset.labels.dtype == dataset[1][1].dtype == np.int64


def test_image_dataset_with_a_transform_leaves_the_original_alone():
    dataset = ImageDataset(np.full((2, 1, 2, 2), 255, np.uint8), np.array([0, 1]), "ab")
    halved = dataset.with_transform(lambda image: image / 2)
    assert halved[0][0].max() == 0.5 and dataset[0][0].max() == 1
    assert dataset.batched and not halved.batched


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, int), r"\(N, C, H, W\), got \(2, 4, 4\)"),
        (np.zeros((2, 1, 4, 4), np.int32), np.zeros(2, int), "got int32"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, int), r"shape \(2,\), one for each image, got \(3,\)"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2), "labels must be integers"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.array([0, 2]), r"label 2 at position 1 is out of range, expected 0\.\.1"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.array([-1, 0]), "label -1 at position 0"),
    ],
)
def test_image_dataset_refuses(images, labels, message):
    with pytest.raises(ValueError, match=message):
        ImageDataset(images, labels, ["cat", "dog"])


Point = collections.namedtuple("Point", "x y")


def test_collate_every_structure():
    samples = [
        {"image": np.full((2, 2), i, np.float32), "label": i, "at": Point(float(i), True), "name": f"n{i}", "list": [i]}
        for i in range(3)
    ]
    batch = default_collate(samples)
    assert batch["image"].shape == (3, 2, 2) and batch["image"].dtype == np.float32
    assert batch["label"].tolist() == [0, 1, 2] and batch["label"].dtype == np.int64
    assert isinstance(batch["at"], Point) and batch["at"].x.dtype == np.float32 and batch["at"].y.dtype == np.bool_
    assert batch["name"] == ["n0", "n1", "n2"] and isinstance(batch["list"], list)
    assert default_collate([minidl.tensor([1.0]), minidl.tensor([2.0])]).tolist() == [[1.0], [2.0]]
    assert default_collate([np.float64(1), np.float64(2)]).dtype == np.float64


def test_collate_loses_nothing_of_numbers_of_several_kinds():
    for samples, dtype in (([1, 2.5], np.float32), ([True, 2], np.int64), ([False, 0.5], np.float32)):
        batch = default_collate(samples)
        assert batch.tolist() == samples and batch.dtype == dtype


SHAPES = [(), (1,), (2,), (1, 1), (2, 1), (1, 2), (0,), (2, 0)]


@pytest.mark.parametrize("types", list(itertools.product(("bool", "uint8", "int64", "float32", "float64"), repeat=2)))
def test_collate_stacks_as_numpy(types):
    for shape in SHAPES:
        samples = [np.ones(shape, types[0]), np.full(shape, 2, types[1])]
        expected, batch = np.stack(samples), default_collate(samples)
        np.testing.assert_array_equal(batch, expected)
        assert batch.dtype == expected.dtype and batch.is_contiguous()


@pytest.mark.parametrize("shapes", list(itertools.permutations(SHAPES, 2)))
def test_collate_does_not_fit_shapes_to_each_other(shapes):
    with pytest.raises(ValueError, match="must have one shape"):
        default_collate([np.zeros(shape) for shape in shapes])


def test_collate_refuses():
    with pytest.raises(ValueError, match=r"one shape, got \[\(2,\), \(3,\)\]: resize or crop"):
        default_collate([np.zeros(2), np.zeros(3)])
    with pytest.raises(ValueError, match="different numbers of fields"):
        default_collate([(1, 2), (1,)])
    endless = [1]
    endless.append(endless)
    with pytest.raises(ValueError, match="nested too deep, or hold themselves"):
        default_collate([endless, endless])
    for samples in ([{"x": 1}, {"x": 1, "y": 2}], [{"x": 1, "y": 2}, {"x": 1}], [{"x": 1}, {}]):
        with pytest.raises(ValueError, match=r"different keys: \['x'.*\] and \[('x')?.*\]"):
            default_collate(samples)
    with pytest.raises(TypeError, match=r"cannot hold Image; .*ToTensor\(\)".replace("; ", ".*")):
        default_collate([Image.new("L", (2, 2))])
    with pytest.raises(ValueError, match="no samples"):
        default_collate([])
