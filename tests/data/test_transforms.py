"""Transforms: values against their formulas, kinds of image, batches, seeds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import minidl
from minidl.data import transforms as T
from minidl.data.transforms.color import hsv_to_rgb, rgb_to_hsv
from minidl.data.transforms.geometry import inverse_affine
from tests.data.pictures import generator, picture, planes_of

RNG = np.random.default_rng(0)


RANDOM = [
    lambda g: T.RandomCrop(8, padding=2, generator=g),
    lambda g: T.RandomResizedCrop(8, generator=g),
    lambda g: T.RandomHorizontalFlip(generator=g),
    lambda g: T.RandomVerticalFlip(generator=g),
    lambda g: T.RandomRotation(30, generator=g),
    lambda g: T.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 10, generator=g),
    lambda g: T.ColorJitter(0.4, 0.4, 0.4, 0.1, generator=g),
]
RANDOM_NAMES = ["crop", "resized crop", "horizontal flip", "vertical flip", "rotation", "affine", "jitter"]


@pytest.mark.parametrize("make", RANDOM, ids=RANDOM_NAMES)
def test_random_transforms_follow_their_generator(make):
    image = picture()
    runs = [[planes_of(make_one(image)) for _ in range(8)] for make_one in (make(generator()), make(generator()))]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert any(not np.array_equal(runs[0][0], other) for other in runs[0][1:])
    other_seed = [planes_of(t(image)) for t in [make(generator(4))] for _ in range(8)]
    assert not np.array_equal(runs[0], other_seed)


@pytest.mark.parametrize("make", RANDOM, ids=RANDOM_NAMES)
def test_random_transforms_draw_from_the_augmentation_stream_by_default(make):
    minidl.manual_seed(5)
    first = planes_of(make(None)(picture()))
    state = minidl.random.get_state()
    minidl.manual_seed(5)
    assert np.array_equal(first, planes_of(make(None)(picture())))
    assert minidl.random.get_state() == state
    minidl.manual_seed(5)
    assert {k for k, v in minidl.random.get_state().items() if v != state[k]} == {"augmentation"}


# Jitter in Pillow rounds to bytes after each of its four steps, and its hue has 256 values.
@pytest.mark.parametrize("make, tolerance", list(zip(RANDOM, [0.6] * 6 + [3], strict=True)), ids=RANDOM_NAMES)
def test_arrays_and_tensors_like_pillow_images(make, tolerance):
    """The same numbers give the same picture, whatever kind it is; rounding apart."""
    image = picture()
    expected = planes_of(make(generator())(image)).astype(float)
    floating = planes_of(image).astype(np.float32) / 255
    for seed_image, scale in ((planes_of(image), 1), (floating, 255)):
        result = make(generator())(seed_image)
        assert result.dtype == seed_image.dtype and result.shape == expected.shape
        assert np.abs(result * float(scale) - expected).mean() < tolerance
    tensor = make(generator())(minidl.Tensor(floating))
    assert isinstance(tensor, minidl.Tensor)
    np.testing.assert_array_equal(tensor.data, make(generator())(floating))


@pytest.mark.parametrize("make", RANDOM, ids=RANDOM_NAMES)
def test_every_image_of_a_batch_is_changed_by_itself(make):
    batch = np.repeat(planes_of(picture()).astype(np.float32)[None] / 255, 16, axis=0)
    original = batch.copy()
    result = make(generator())(batch)
    assert len(result) == 16 and len(np.unique(result.reshape(16, -1), axis=0)) > 1
    np.testing.assert_array_equal(batch, original)  # what came in is unchanged


@pytest.mark.parametrize("flip, axis", [(T.RandomHorizontalFlip, -1), (T.RandomVerticalFlip, -2)])
def test_flips(flip, axis):
    x = RNG.random((200, 3, 4, 5), dtype=np.float32)
    np.testing.assert_array_equal(flip(1)(x), np.flip(x, axis))
    np.testing.assert_array_equal(flip(0)(x), x)
    np.testing.assert_array_equal(flip(0)(x[0]), x[0])
    np.testing.assert_array_equal(planes_of(flip(0)(picture())), planes_of(picture()))
    np.testing.assert_array_equal(planes_of(flip(1)(picture())), np.flip(planes_of(picture()), axis))
    y = flip(0.5, generator=generator())(x)
    flipped = np.array([np.array_equal(a, np.flip(b, axis)) for a, b in zip(y, x, strict=True)])
    kept = np.array([np.array_equal(a, b) for a, b in zip(y, x, strict=True)])
    assert (flipped ^ kept).all() and 60 < flipped.sum() < 140


@pytest.mark.parametrize(
    "height, width, size, expected",
    [(10, 20, 5, (5, 10)), (20, 10, 5, (10, 5)), (7, 7, 3, (3, 3)), (10, 20, (3, 9), (3, 9))],
)
def test_resize_shapes(height, width, size, expected):
    image = T.Resize(size)(picture(height, width))
    assert (image.height, image.width) == expected
    np.testing.assert_array_equal(T.Resize(size)(planes_of(picture(height, width))), planes_of(image))
    assert T.Resize(size)(np.zeros((2, 3, height, width), np.float32)).shape == (2, 3, *expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_resize_keeps_the_dtype_and_computes_in_float32(dtype):
    x = RNG.random((2, 3, 8, 8)).astype(dtype)
    y = T.Resize(4)(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, T.Resize(4)(x.astype(np.float32)).astype(dtype))


def test_resize_averages_what_it_shrinks():
    stripes = np.tile(np.array([0, 1], np.float32), (1, 32, 16))  # (1, 32, 32)
    np.testing.assert_allclose(T.Resize(8)(stripes)[:, :, 1:-1], 0.5, atol=0.01)
    gradient = np.linspace(0, 1, 64, dtype=np.float32)[None, None].repeat(64, axis=1)
    np.testing.assert_allclose(
        T.Resize(16)(gradient)[0, 3, 1:-1], gradient[0, 0].reshape(16, 4).mean(1)[1:-1], atol=1e-5
    )


def test_resize_float_like_torch():
    functional = pytest.importorskip("torch.nn.functional")
    torch = pytest.importorskip("torch")
    x = RNG.random((2, 3, 20, 30), dtype=np.float32)
    for mode in ("bilinear", "bicubic"):
        theirs = functional.interpolate(
            torch.tensor(x), size=(8, 11), mode=mode, antialias=True, align_corners=False
        ).numpy()
        np.testing.assert_allclose(T.Resize((8, 11), mode)(x), theirs, atol=2e-5)


def test_rotation_turns_counter_clockwise():
    x = np.zeros((1, 5, 5), np.float32)
    x[0, 2, 4] = 1  # to the right
    y = T.RandomRotation((90, 90))(x)
    assert np.argwhere(y[0]).tolist() == [[0, 2]]  # up
    assert T.RandomRotation((45, 45), fill=0.5)(x)[0, 0, 0] == 0.5
    assert T.RandomRotation((45, 45), expand=True)(picture(10, 10)).size > (10, 10)


def test_turns_about_another_center():
    x = np.zeros((1, 6, 6), np.float32)
    x[0, 0, 0] = 1
    for turn in (T.RandomRotation((180, 180), center=(2, 1)), T.RandomAffine((180, 180), center=(2, 1))):
        assert np.argwhere(turn(x)[0]).tolist() == [[1, 3]]  # the pixel from 0 to 1 comes to lie from 4 to 3, 2 to 1


def test_affine_parts():
    x = np.zeros((1, 9, 9), np.float32)
    x[0, 4, 8] = 1
    turned = T.RandomAffine((90, 90))(x)
    assert np.argwhere(turned[0]).tolist() == [[8, 4]]  # clockwise: from the right to the bottom
    moved = [T.RandomAffine(0, translate=(0.3, 0), generator=generator(s))(x)[0, 4].argmax() for s in range(40)]
    assert min(moved) < 8 and set(moved) <= {0, *range(5, 9)}
    middle = np.zeros((1, 9, 9), np.float32)
    middle[0, 4, 4] = 1
    moves = [np.argwhere(T.RandomAffine(0, (0.3, 0.2), generator=generator(s))(middle)[0])[0] for s in range(200)]
    rows, columns = np.transpose(moves)
    assert set(rows) == {2, 3, 4, 5, 6} and set(columns) == {1, 2, 3, 4, 5, 6, 7}  # round(0.2 * 9), round(0.3 * 9)
    square = np.zeros((1, 20, 20), np.float32)
    square[0, 8:12, 8:12] = 1
    assert T.RandomAffine(0, scale=(2, 2))(square).sum() == 64
    rows = np.zeros((1, 9, 9), np.float32)
    rows[0, [0, 8]] = 1
    assert T.RandomAffine(0, shear=45).shear == (-45, 45, 0, 0)
    assert T.RandomAffine(0, shear=(1, 2)).shear == (1, 2, 0, 0)
    noise = RNG.random((1, 100, 100), dtype=np.float32)
    for seed in range(5):
        np.testing.assert_array_equal(T.RandomAffine(0, generator=generator(seed))(noise), noise)
    slanted = T.RandomAffine(0, shear=(45, 45))(rows)[0]  # x - tan(45) y, from the centre
    assert slanted[0].tolist() == [0] * 4 + [1] * 5 and slanted[8].tolist() == [1] * 5 + [0] * 4
    np.testing.assert_array_equal(T.RandomAffine(0, shear=(0, 0, 45, 45))(rows.swapaxes(1, 2))[0].T, slanted)


@given(
    st.floats(-180, 180), st.floats(0.3, 3), st.floats(-50, 50), st.floats(-50, 50), st.floats(-9, 9), st.floats(-9, 9)
)
def test_inverse_affine_undoes_the_documented_map(angle, scale, sx, sy, tx, ty):
    a, tan_x, tan_y = math.radians(angle), math.tan(math.radians(sx)), math.tan(math.radians(sy))
    rotation = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    shear = np.array([[1, -tan_x], [-tan_y, 1 + tan_x * tan_y]])
    center, source = np.array([5.0, 3.0]), np.array([1.5, 7.25])
    target = center + np.array([tx, ty]) + scale * rotation @ shear @ (source - center)
    m = inverse_affine((5.0, 3.0), angle, (tx, ty), scale, (sx, sy))
    back = [m[0] * target[0] + m[1] * target[1] + m[2], m[3] * target[0] + m[4] * target[1] + m[5]]
    np.testing.assert_allclose(back, source, atol=1e-6)


def test_to_tensor():
    tensor = T.ToTensor()(picture())
    assert isinstance(tensor, minidl.Tensor) and tensor.shape == (3, 12, 16) and tensor.dtype == np.float32
    np.testing.assert_array_equal(tensor.data, planes_of(picture()).astype(np.float32) / np.float32(255))
    assert T.ToTensor()(Image.new("L", (4, 3), 51)).data.tolist() == [[[np.float32(0.2)] * 4] * 3]
    assert T.ToTensor()(Image.new("1", (4, 3), 1)).tolist() == [[[1] * 4] * 3]
    assert T.ToTensor()(picture().convert("RGBA")).shape == (4, 12, 16)
    assert T.ToTensor()(np.full((3, 4), 0.5)).shape == (1, 3, 4)
    assert T.ToTensor()(picture().convert("P")).shape == (3, 12, 16)
    with pytest.raises(ValueError, match=r"got \(3, 32, 32\); an image that is \(C, H, W\) already needs no ToTensor"):
        T.ToTensor()(np.zeros((3, 32, 32), np.float32))
    with pytest.raises(ValueError, match=r"at most 4 channels, got \(3, 4, 5\)"):
        T.ToTensor()(np.zeros((3, 4, 5), np.float32))
    with pytest.raises(TypeError, match="got int64"):
        T.ToTensor()(np.zeros((3, 4), np.int64))
    with pytest.raises(TypeError, match="got list"):
        T.ToTensor()([1, 2])


def test_nothing_has_no_proportions_to_keep():
    with pytest.raises(ValueError, match="Resize takes images of at least one pixel, got 5x0"):
        T.Resize(4)(Image.new("L", (0, 5)))


def test_normalize():
    x = RNG.random((2, 3, 4, 5), dtype=np.float32)
    mean, std = [0.5, 0.4, 0.3], [0.1, 0.2, 0.3]
    expected = (x - np.array(mean, np.float32)[:, None, None]) / np.array(std, np.float32)[:, None, None]
    before = x.copy()
    y = T.Normalize(mean, std)(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(T.Normalize(mean, std)(x[1]), y[1])


@pytest.mark.parametrize(
    "image, error, message",
    [
        (np.zeros((3, 2, 2), np.uint8), TypeError, "got uint8: convert with ToTensor"),
        (picture(), TypeError, "put ToTensor\\(\\) before it"),
        (np.zeros((1, 2, 2), np.float32), ValueError, "Normalize has 3 means, the image has 1 channels"),
        (np.zeros((2, 2), np.float32), ValueError, r"shape \(C, H, W\) or \(N, C, H, W\), got \(2, 2\)"),
        ("cat.png", TypeError, "got str"),
    ],
)
def test_normalize_refuses(image, error, message):
    with pytest.raises(error, match=message):
        T.Normalize([0.5] * 3, [0.5] * 3)(image)


def test_grayscale():
    x = RNG.random((2, 3, 4, 5), dtype=np.float32)
    expected = 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
    np.testing.assert_allclose(T.Grayscale()(x)[:, 0], expected, rtol=1e-6)
    assert T.Grayscale(3)(x).shape == (2, 3, 4, 5)
    as_bytes = T.Grayscale()(planes_of(picture()))
    r, g, b = planes_of(picture()).astype(float)
    np.testing.assert_array_equal(as_bytes[0], np.round(0.299 * r + 0.587 * g + 0.114 * b))
    assert np.abs(as_bytes[0].astype(int) - np.asarray(picture().convert("L"))).max() <= 1
    assert T.Grayscale()(picture()).mode == "L" and T.Grayscale(3)(picture()).mode == "RGB"
    np.testing.assert_array_equal(T.Grayscale(3)(x[:, :1]), x[:, [0, 0, 0]])
    with pytest.raises(ValueError, match="3 channels"):
        T.Grayscale()(np.zeros((2, 4, 4), np.float32))


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_hsv_there_and_back_and_like_colorsys(seed):
    import colorsys

    x = np.round(generator(seed).random((3, 3, 3)) * 4) / 4  # with equal channels and greys among them
    h, s, v = rgb_to_hsv(x)
    np.testing.assert_allclose(hsv_to_rgb(h, s, v), x, atol=1e-12)
    for i, j in np.ndindex(3, 3):
        np.testing.assert_allclose((h[i, j], s[i, j], v[i, j]), colorsys.rgb_to_hsv(*x[:, i, j]), atol=1e-12)


def test_color_jitter_formulas():
    x = RNG.random((3, 6, 6), dtype=np.float32) * 0.5 + 0.25
    gray = (0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2])[None]
    cases = {
        "brightness": np.clip(1.5 * x, 0, 1),
        "contrast": np.clip(1.5 * x - 0.5 * gray.mean(), 0, 1),
        "saturation": np.clip(1.5 * x - 0.5 * gray, 0, 1),
    }
    for name, expected in cases.items():
        y = T.ColorJitter(**{name: (1.5, 1.5)})(x)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, expected, atol=1e-6)
    turned = T.ColorJitter(hue=(1 / 3, 1 / 3))(np.array([1, 0, 0], np.float32).reshape(3, 1, 1))
    np.testing.assert_allclose(turned.ravel(), [0, 1, 0], atol=1e-6)  # red, a third of a turn on, is green
    red = T.ColorJitter(hue=(1 / 3, 1 / 3))(Image.new("RGB", (1, 1), (255, 0, 0))).getpixel((0, 0))
    assert red[1] == 255 and max(red[0], red[2]) < 8
    assert T.ColorJitter(0.5, 0.5, 0.5, 0.5)(Image.new("L", (3, 3), 100)).mode == "L"
    half = np.float32(0.5)  # a number of NumPy is one number too
    assert T.ColorJitter(half, half, half, half).hue == T.ColorJitter(hue=0.5).hue == (-0.5, 0.5)
    assert T.RandomRotation(half).degrees == T.RandomRotation(0.5).degrees
    assert T.ColorJitter(0.5, 0.5, 0.5, 0.5)(np.ones((1, 3, 3), np.float32)).shape == (1, 3, 3)


def test_color_jitter_ranges():
    jitter = T.ColorJitter(0.4, 2, (0.5, 0.7), 0.1)
    assert (jitter.brightness, jitter.contrast) == ((0.6, 1.4), (0, 3))
    assert (jitter.saturation, jitter.hue) == ((0.5, 0.7), (-0.1, 0.1))
    for hue in ((-0.6, 0), (0, 0.6)):
        with pytest.raises(ValueError, match="hue must be a pair"):
            T.ColorJitter(hue=hue)


def test_color_jitter_changes_nothing_by_default():
    every_byte = np.arange(256, dtype=np.uint8).repeat(3).reshape(3, 16, 16)
    np.testing.assert_array_equal(T.ColorJitter()(every_byte), every_byte)
    np.testing.assert_array_equal(planes_of(T.ColorJitter()(picture())), planes_of(picture()))


def test_compose():
    compose = T.Compose([T.Resize(8), T.ToTensor(), lambda x: x.data * 2])
    assert compose(picture()).shape == (3, 8, 10)
    assert not compose.batched
    assert not T.Compose([lambda x: x]).batched  # a function of the user's is for one image
    assert T.Compose([T.RandomHorizontalFlip(), T.Normalize(0.5, 0.5)]).batched
    assert repr(T.Compose([T.CenterCrop(2)])) == "Compose([CenterCrop(size=(2, 2))])"
    with pytest.raises(TypeError, match=r"transforms\[1\] of Compose must be a callable such as Grayscale\(\)"):
        T.Compose([T.CenterCrop(2), T.ToTensor])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: T.Resize(0), "size must be a positive int or a pair"),
        (lambda: T.Resize(True), "size must be a positive int or a pair"),
        (lambda: T.Resize((1, 2, 3)), "size must be a positive int or a pair"),
        (lambda: T.Resize(4, "area"), "interpolation must be one of nearest, bilinear, bicubic, lanczos, got 'area'"),
        (
            lambda: T.RandomRotation(5, "lanczos"),
            "interpolation must be one of nearest, bilinear, bicubic, got 'lanczos'",
        ),
        (lambda: T.RandomRotation(-5), "degrees must be >= 0"),
        (lambda: T.RandomRotation(math.nan), "degrees must be >= 0"),
        (lambda: T.RandomRotation(math.inf), "degrees must be >= 0"),
        (lambda: T.RandomAffine(0, scale=(1, math.inf)), "scale must be a pair"),
        (lambda: T.RandomAffine(0, scale=0.5), "scale must be a pair .* got 0.5"),
        (lambda: T.RandomAffine(0, translate=0.1), "translate must be a pair of fractions .* got 0.1"),
        (lambda: T.ColorJitter(math.nan), "brightness must be >= 0"),
        (lambda: T.Resize(2.5), "size must be a positive int or a pair .* got 2.5"),
        (lambda: T.RandomCrop(4, padding=1.5), "padding must be an int .* got 1.5"),
        (lambda: T.RandomCrop(4, padding=(1.5, 2)), "padding must be an int"),
        (lambda: T.RandomCrop(4, padding=(1, 2, 3)), "padding must be an int"),
        (lambda: T.RandomHorizontalFlip(1.5), r"p must be a probability in 0\.\.1, got 1.5"),
        (lambda: T.RandomCrop(4, padding=-1), "padding must be"),
        (lambda: T.RandomCrop(4, padding_mode="wrap"), "padding_mode must be one of"),
        (lambda: T.RandomResizedCrop(4, scale=(0, 1)), "scale must be a pair"),
        (lambda: T.RandomResizedCrop(4, ratio=(2, 1)), "ratio must be a pair"),
        (lambda: T.RandomAffine(0, translate=(2, 0)), "translate must be a pair of fractions"),
        (lambda: T.RandomAffine(0, scale=(-1, 1)), "scale must be a pair"),
        (lambda: T.RandomAffine(0, shear=(1, 2, 3)), "shear must be"),
        (lambda: T.ColorJitter(brightness=-1), "brightness must be >= 0"),
        (lambda: T.ColorJitter(hue=0.6), "hue must be a pair"),
        (lambda: T.Normalize([0.5, 0.5], [0.5, 0.0]), "std must be > 0"),
        (lambda: T.Normalize([[0.5]], [[0.5]]), "mean and std must hold one number for each channel"),
        (lambda: T.Normalize([0.5, 0.5], [0.5]), "mean and std must hold one number for each channel"),
        (lambda: T.Grayscale(2), "num_output_channels must be 1 or 3"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [
    lambda: T.Resize(4), lambda: T.ColorJitter(0.5), lambda: T.RandomRotation(9), lambda: T.RandomResizedCrop(4),
    lambda: T.Grayscale(),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.int64, np.uint16, bool])
def test_other_integers_are_refused_where_values_are_computed(make, dtype):
    """Which of their values is white, nobody knows: ColorJitter took all above 1 for it, Resize cut off fractions."""
    with pytest.raises(TypeError, match=rf"bytes \(uint8, 0..255\) or floating.*, got {np.dtype(dtype)}"):
        make()(np.ones((3, 8, 8), dtype))
    assert T.RandomHorizontalFlip(1)(np.ones((3, 8, 8), dtype)).dtype == dtype


@pytest.mark.parametrize("make", [
    lambda fill: T.RandomRotation((45, 45), fill=fill), lambda fill: T.RandomAffine((45, 45), fill=fill),
    lambda fill: T.RandomCrop((36, 48), padding=(16, 12), fill=fill),
])  # fmt: skip
def test_the_fill_of_bytes(make):
    image = Image.new("RGB", (16, 12))
    for fill in (255, 255.0, np.float64(255)):
        assert make(fill)(image).getpixel((0, 0)) == (255, 255, 255)
        np.testing.assert_array_equal(make(fill)(planes_of(image))[:, 0, 0], 255)
    for fill in (0.5, 256, -1, math.nan):
        for x in (image, planes_of(image)):
            with pytest.raises(ValueError, match=f"fill must be a whole number from 0 to 255 .* bytes, got {fill}"):
                make(fill)(x)


def test_a_picture_of_a_palette_is_not_padded_as_if_its_numbers_were_grey():
    x = picture().convert("P")
    for transform in (T.CenterCrop(20), T.RandomCrop(12, padding=2)):
        with pytest.raises(ValueError, match="mode 'P'.*convert\\('RGB'\\)"):
            transform(x)
    assert T.CenterCrop(4)(x).mode == "P"


def test_hue_of_a_picture_with_transparency():
    x = picture().convert("RGBA")
    x.putalpha(Image.new("L", x.size, 77))
    turned = T.ColorJitter(hue=(0.25, 0.25))(x)
    expected = T.ColorJitter(hue=(0.25, 0.25))(picture())
    np.testing.assert_array_equal(np.asarray(turned)[..., :3], np.asarray(expected))
    assert turned.mode == "RGBA" and turned.getchannel("A").getextrema() == (77, 77)


def test_images_that_rotation_makes_larger_are_made_one_by_one():
    """Each gets a size of its own, so that no batch of them exists before the next transform makes them alike."""
    turn = T.Compose([T.RandomRotation((0, 40), expand=True), T.Resize((8, 8))])
    dataset = minidl.data.ImageDataset(np.ones((5, 1, 9, 9), np.uint8), np.zeros(5, int), ["a"], transform=turn)
    [(x, _)] = minidl.data.DataLoader(dataset, batch_size=5)
    assert x.shape == (5, 1, 8, 8) and T.RandomRotation(9).batched


def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match="numpy.random.Generator, got 3"):
        T.RandomCrop(4, generator=3)
