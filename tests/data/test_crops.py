"""Transforms that cut out a part: which part, how large, and what lies outside the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import transforms as T
from tests.data.pictures import generator, picture, planes_of


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.data())
@settings(deadline=None, max_examples=50)
def test_random_crop_is_a_window_of_the_padded_image(n, c, h, w, padding, data):
    size = data.draw(st.integers(1, h + 2 * padding)), data.draw(st.integers(1, w + 2 * padding))
    x = np.arange(n * c * h * w, dtype=np.float32).reshape(n, c, h, w) + 1
    y = T.RandomCrop(size, padding=padding, generator=generator(data.draw(st.integers(0, 99))))(x)
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    for i in range(n):
        windows = [
            padded[i, :, top : top + size[0], left : left + size[1]]
            for top in range(padded.shape[2] - size[0] + 1)
            for left in range(padded.shape[3] - size[1] + 1)
        ]
        assert any(np.array_equal(y[i], window) for window in windows)


def test_random_crop_reaches_every_corner_equally():
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3).repeat(9000, axis=0)
    corners = np.bincount(T.RandomCrop(2, generator=generator())(x)[:, 0, 0, 0].astype(int), minlength=9)
    assert set(np.flatnonzero(corners)) == {0, 1, 3, 4} and corners[[0, 1, 3, 4]].min() > 2000


def test_random_crop_padding():
    x = np.ones((1, 4, 4), np.float32)
    assert T.RandomCrop(6, padding=1, fill=0.5)(x)[0, 0].tolist() == [0.5] * 6
    assert T.RandomCrop((4, 8), padding=(2, 0))(x)[0].sum(axis=0).tolist() == [0, 0, 4, 4, 4, 4, 0, 0]
    assert T.RandomCrop(6, padding=1, padding_mode="reflect")(x).min() == 1
    assert T.RandomCrop(9, pad_if_needed=True)(picture(4, 5)).size == (9, 9)
    for size in ((6, 6), (4, 6), (6, 4)):
        with pytest.raises(ValueError, match=f"RandomCrop of {size[0]}x{size[1]} from an image of 4x4"):
            T.RandomCrop(size)(x)


def test_center_crop():
    x = np.arange(5 * 7, dtype=np.float32).reshape(1, 5, 7)
    np.testing.assert_array_equal(T.CenterCrop((3, 3))(x), x[:, 1:4, 2:5])
    np.testing.assert_array_equal(T.CenterCrop((1, 5))(x), x[:, 2:3, 1:6])
    np.testing.assert_array_equal(T.CenterCrop((10, 12))(x), np.pad(x, [(0, 0), (2, 3), (2, 3)]))
    padded = T.CenterCrop((7, 8))(x)
    assert padded.shape == (1, 7, 8) and padded.sum() == x.sum()
    assert planes_of(T.CenterCrop(4)(picture())).tolist() == planes_of(picture())[:, 4:8, 6:10].tolist()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_random_resized_crop_stays_inside(height, width, seed):
    crop = T.RandomResizedCrop(4, scale=(0.2, 0.8), ratio=(0.5, 2))
    top, left, h, w = crop.draw(generator(seed), height, width)
    assert 0 <= top <= top + h <= height and 0 <= left <= left + w <= width and h > 0 and w > 0
    if height == width == 40:
        assert 0.15 < h * w / 1600 < 0.85 and 0.45 < w / h < 2.2


def test_random_resized_crop_where_nothing_fits():
    top, left, h, w = T.RandomResizedCrop(4, scale=(1, 1), ratio=(1, 1)).draw(generator(), 10, 100)
    assert (top, left, h, w) == (0, 45, 10, 10)
    assert T.RandomResizedCrop(4, scale=(1, 1), ratio=(1, 1)).draw(generator(), 9, 100) == (0, 45, 9, 9)
    assert T.RandomResizedCrop(4, scale=(1, 1), ratio=(1, 1)).draw(generator(), 100, 9) == (45, 0, 9, 9)
    assert T.RandomResizedCrop(4, scale=(1, 1), ratio=(0.01, 0.01)).draw(generator(), 10, 10) == (0, 4, 10, 1)
    assert T.RandomResizedCrop(4, scale=(1, 1), ratio=(100, 100)).draw(generator(), 10, 10) == (4, 0, 1, 10)
    crop = T.RandomResizedCrop(4, scale=(1, 1), ratio=(0.5, 2))
    assert crop.draw(generator(), 10, 100) == (0, 40, 10, 20)
    assert crop.draw(generator(), 100, 10) == (40, 0, 20, 10)


@pytest.mark.parametrize("shape", [(3, 0, 5), (3, 5, 0), (2, 3, 0, 5)])
def test_a_random_part_of_nothing_is_refused(shape):
    with pytest.raises(ValueError, match="RandomResizedCrop takes images of at least one pixel, got [05]x[05]"):
        T.RandomResizedCrop(4)(np.zeros(shape, np.float32))


def test_random_crop_pads_as_much_as_is_needed_on_both_sides():
    x = np.ones((300, 1, 4, 5), np.float32)
    y = T.RandomCrop((9, 10), padding=(1, 2, 2, 1), pad_if_needed=True, generator=generator())(x)[:, 0]
    assert (y.sum((1, 2)) == 20).all()  # the image is always whole: on each side 2 rows or columns more than `padding`
    assert set(y.any(axis=2).argmax(axis=1)) == {2, 3, 4}
    assert set(y.any(axis=1).argmax(axis=1)) == {1, 2, 3}
    narrow = T.RandomCrop((9, 3), pad_if_needed=True, generator=generator())(x)[:, 0]
    assert (narrow.sum(axis=1) == 4).all()  # no column is padded
    flat = T.RandomCrop((2, 7), pad_if_needed=True, generator=generator())(x)[:, 0]
    assert (flat.sum(axis=2) == 5).all()  # and here no row


@pytest.mark.parametrize("size", [(20, 10), (9, 21), (15, 19)])
def test_pictures_are_padded_as_arrays_are(size):
    colour, grey = picture(), picture().convert("L")
    for make in (
        lambda: T.CenterCrop(size),
        lambda: T.RandomCrop(size, (1, 0, 0, 2), pad_if_needed=True, generator=generator()),
    ):
        np.testing.assert_array_equal(planes_of(make()(colour)), make()(planes_of(colour)))
        np.testing.assert_array_equal(np.asarray(make()(grey)), make()(np.asarray(grey)[None])[0])


def test_random_resized_crop_draws_the_whole_range_of_areas_and_proportions():
    crop = T.RandomResizedCrop(4, scale=(0.1, 0.3), ratio=(2, 4))
    drawn = np.array([crop.draw(generator(seed), 400, 400) for seed in range(300)])
    area, ratio = drawn[:, 2] * drawn[:, 3] / 400**2, drawn[:, 3] / drawn[:, 2]  # width / height
    for values, low, high in ((area, 0.1, 0.3), (ratio, 2, 4)):
        assert low * 0.98 < values.min() < low * 1.05 and high * 0.95 < values.max() < high * 1.02
    assert abs(np.log(ratio).mean() - np.log(8) / 2) < 0.05  # uniform in the logarithm
    places = np.array([T.RandomResizedCrop(4, scale=(0.01, 1)).draw(generator(seed), 3, 4) for seed in range(300)])
    corner, size = places[:, :2], places[:, 2:]
    assert size.min() == 1 and corner.min() == 0 and (corner + size).max(axis=0).tolist() == [3, 4]
    default = T.RandomResizedCrop((4, 6))
    assert (default.scale, default.ratio) == ((0.08, 1), (3 / 4, 4 / 3))
    assert default(np.zeros((3, 9, 9), np.float32)).shape == (3, 4, 6)
