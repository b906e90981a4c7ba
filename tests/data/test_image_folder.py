"""Folders of pictures: which files are read and how, and every kind of damaged picture."""

import os
import re
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from minidl.data import DataLoader, ImageFolder, image_folder, read_picture, transforms


def write_pictures(root, per_class=6, classes=("cat", "dog")):
    """Pictures whose red value is their number, dogs blue as well."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            Image.new("RGB", (20, 10), (number, 0, 200 * label)).save(root / name / f"{number}.png")
    return root


def test_image_folder(tmp_path):
    write_pictures(tmp_path)
    Image.new("L", (5, 5), 7).save(tmp_path / "cat" / "grey.JPG", "JPEG")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    for hidden in (tmp_path / ".hidden", tmp_path / "cat" / ".ipynb_checkpoints"):
        hidden.mkdir()
        (hidden / "1.png").write_bytes((tmp_path / "cat" / "1.png").read_bytes())
    (tmp_path / "cat" / "._1.png").write_bytes(b"what macOS puts beside a file")
    folder = ImageFolder(tmp_path)
    assert folder.classes == ("cat", "dog") and folder.targets.tolist() == [0] * 7 + [1] * 6
    picture, label = folder[12]
    assert picture.mode == "RGB" and picture.getpixel((0, 0)) == (5, 0, 200) and label == 1
    assert folder[6][0].mode == "RGB"  # the grey one
    images, labels = next(
        iter(
            DataLoader(
                folder.with_transform(transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])), 13
            )
        )
    )
    assert images.shape == (13, 3, 8, 8) and images.dtype == np.float32 and labels.tolist() == folder.targets.tolist()


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def write_noise(path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("name", ["bad.png", "bad.jpg"])
def test_a_picture_that_is_cut_off(tmp_path, name):
    write_pictures(tmp_path)
    write_noise(tmp_path / "dog" / name)
    truncate(tmp_path / "dog" / name)
    folder = ImageFolder(tmp_path)
    with pytest.raises(ValueError, match=f"{name}: this picture is damaged"):
        list(DataLoader(folder.with_transform(transforms.ToTensor()), 1))
    with pytest.warns(UserWarning, match=rf"1 of 13 pictures left out:\n.*{name}") as caught:
        assert len(ImageFolder(tmp_path, on_error="skip")) == 12
    assert caught[0].filename == __file__


@pytest.mark.parametrize("content", [b"", b"this is no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_picture(tmp_path, content):
    write_pictures(tmp_path)
    (tmp_path / "cat" / "bad.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.png: "):
        ImageFolder(tmp_path)
    with pytest.warns(UserWarning, match="bad.png"):
        assert len(ImageFolder(tmp_path, on_error="skip")) == 12


def test_pictures_are_read_as_people_see_them(tmp_path):
    path = tmp_path / "picture.png"
    stroke = np.zeros((8, 8, 4), np.uint8)
    stroke[2:6, 3:5, 3] = 255  # black on nothing
    expected = np.where(stroke[..., 3:] > 0, 0, 255).repeat(3, 2)
    for picture in (Image.fromarray(stroke), Image.fromarray(stroke).quantize(4)):
        picture.save(path)
        np.testing.assert_array_equal(read_picture(path), expected)

    grey = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(np.asarray(read_picture(path))[..., 1], np.arange(256).reshape(16, 16))

    wide = Image.fromarray(np.full((10, 20, 3), 40, np.uint8))
    exif = wide.getexif()
    exif[0x0112] = 6  # the camera was held upright
    wide.save(tmp_path / "photo.jpg", exif=exif)
    assert read_picture(tmp_path / "photo.jpg").size == (10, 20)

    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "measured.tiff")
    with pytest.raises(ValueError, match="measured.tiff: a picture of float32 from 0.5 to 0.5, expected 8 or 16 bits"):
        read_picture(tmp_path / "measured.tiff")
    for values in ([70000, 1], [1000, -1]):
        Image.fromarray(np.array([values], np.int32)).save(tmp_path / "wide.tiff")
        with pytest.raises(ValueError, match=f"int32 from {min(values)} to {max(values)}, expected 8 or 16 bits"):
            read_picture(tmp_path / "wide.tiff")
    Image.fromarray(np.array([[0, 257, 65535]], np.int32)).save(tmp_path / "sixteen.tiff")
    assert np.asarray(read_picture(tmp_path / "sixteen.tiff"))[0, :, 0].tolist() == [0, 1, 255]
    for dark in (np.array([[200]], np.uint16), np.array([[0]], np.int32)):
        Image.fromarray(dark).save(tmp_path / "dark.tiff")
        assert read_picture(tmp_path / "dark.tiff").getpixel((0, 0)) == (0, 0, 0)
    Image.fromarray(np.full((4, 4), 255, np.int32)).save(tmp_path / "bytes.tiff")
    with pytest.raises(ValueError, match="bytes.tiff: a picture of int32 up to 255, which may stand for white"):
        read_picture(tmp_path / "bytes.tiff")


def exif_bytes(*entries):
    """EXIF data of tags (number, type, count, value of four bytes)."""
    tags = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4)


ORIENTATIONS = {  # what the picture of rows 12, 34, 56 becomes
    1: "12 34 56", 2: "21 43 65", 3: "65 43 21", 4: "56 34 12", 5: "135 246", 6: "531 642", 7: "642 531", 8: "246 135",
    9: "12 34 56",
}  # fmt: skip


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_photo_is_turned_upright_whatever_else_its_exif_data_hold(tmp_path, orientation):
    pixels = np.array([[1, 2], [3, 4], [5, 6]], np.uint8)
    exif = exif_bytes((0x0112, 3, 1, bytes([orientation, 0, 0, 0])), (0x011A, 2, 4, b"72d\0"))  # a resolution in words
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    found = np.asarray(read_picture(tmp_path / "photo.png"))[..., 0]
    assert " ".join("".join(map(str, row)) for row in found.tolist()) == ORIENTATIONS[orientation]


def test_a_turned_photo_keeps_its_transparent_colour(tmp_path):
    exif = exif_bytes((0x0112, 3, 1, b"\6\0\0\0"))
    Image.fromarray(np.array([[1], [2]], np.uint8)).save(tmp_path / "photo.png", exif=exif, transparency=1)
    np.testing.assert_array_equal(np.asarray(read_picture(tmp_path / "photo.png"))[..., 0], [[2, 255]])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0", exif_bytes((0x0112, 2, 200, b"\xff" * 4))[:-6], b"no EXIF data"])
def test_exif_data_that_cannot_be_read_are_left_alone(tmp_path, exif):
    Image.new("RGB", (3, 2)).save(tmp_path / "photo.jpg", exif=exif)
    assert read_picture(tmp_path / "photo.jpg").size == (3, 2)


def test_whatever_pillow_raises_names_the_file(tmp_path):
    write_pictures(tmp_path)
    bad = tmp_path / "dog" / "bad.tif"
    Image.new("RGB", (3, 2)).save(bad)
    start = struct.pack("<H", 0x0111)  # the tag of where the pixels are, now said to be a text: a TypeError
    bad.write_bytes(re.sub(start + rb"[\3\4]\0", start + b"\2\0", bad.read_bytes()))
    with pytest.raises(ValueError, match=r"bad\.tif: this picture is damaged \('str' object"):
        read_picture(bad)
    with pytest.warns(UserWarning, match=r"1 of 13 pictures left out:\n.*bad\.tif"):
        assert len(ImageFolder(tmp_path, on_error="skip")) == 12


def test_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder"):
        ImageFolder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="has no subfolders"):
        ImageFolder(tmp_path)
    write_pictures(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty holds no picture"):
        ImageFolder(tmp_path)
    with pytest.raises(ValueError, match="on_error must be"):
        ImageFolder(tmp_path, on_error="ignore")


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode here")
def test_class_names_can_be_printed(tmp_path):
    write_pictures(tmp_path, classes=("thé", os.fsdecode(b"caf\xe9")))
    folder = ImageFolder(tmp_path)
    assert folder.classes == ("caf\\xe9", "thé") and len(folder) == 12 and folder[0][0].size == (20, 10)


def test_image_folder_split(tmp_path):
    write_pictures(tmp_path, per_class=11)
    write_pictures(tmp_path, per_class=7, classes=("test",))
    train, test = image_folder(tmp_path)
    assert (len(train), len(test)) == (24, 5) and train.classes == test.classes == ("cat", "dog", "test")
    numbers = [(picture.getpixel((0, 0))[0], label) for picture, label in test]
    assert numbers == [(3, 0), (8, 0), (3, 1), (8, 1), (4, 2)]  # 0 1 10 2 3 ...
    train, test = image_folder(tmp_path, test_transform=transforms.ToTensor())
    assert train[0][0].size == (20, 10) and test[0][0].shape == (3, 10, 20)


def test_image_folder_with_train_and_test(tmp_path):
    write_pictures(tmp_path / "train", 3)
    write_pictures(tmp_path / "val", 2)
    train, test = image_folder(tmp_path, transforms.ToTensor())
    assert (len(train), len(test)) == (6, 4) and test[0][0].shape == (3, 10, 20)
    train, test = image_folder(tmp_path, test_transform=transforms.ToTensor())
    assert train[0][0].size == (20, 10) and test[0][0].shape == (3, 10, 20)
    (tmp_path / "val" / "dog").rename(tmp_path / "val" / "wolf")
    with pytest.raises(ValueError, match="has the classes .*'dog'.*'wolf'"):
        image_folder(tmp_path)


@pytest.mark.parametrize("folder", [".", "train", "test", "val"])
def test_image_folder_leaves_out_what_cannot_be_read_in_each_part(tmp_path, folder):
    parts = ["."] if folder == "." else ["train", "val" if folder == "val" else "test"]
    for part in parts:
        write_pictures(tmp_path / part, 5)
    (tmp_path / folder / "cat" / "bad.png").write_bytes(b"this is no picture")
    for options in ({}, {"on_error": "raise"}):
        with pytest.raises(ValueError, match=r"bad\.png"):
            image_folder(tmp_path, **options)
    with pytest.warns(UserWarning, match=r"1 of 11 pictures left out:\n.*bad\.png"):
        train, test = image_folder(tmp_path, on_error="skip")
    assert len(train) + len(test) == 10 * len(parts)


def test_image_folder_in_worker_processes(tmp_path):
    dataset = ImageFolder(
        write_pictures(tmp_path), transforms.Compose([transforms.RandomResizedCrop(8), transforms.ToTensor()])
    )
    one, two = (
        [x.data for x, _ in DataLoader(dataset, 5, generator=np.random.default_rng(0), num_workers=n)] for n in (0, 2)
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
