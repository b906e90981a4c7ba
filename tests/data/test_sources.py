"""The data sets: what they hold, where they are looked for, and every kind of damaged file."""

import gzip
import struct
import tracemalloc
import warnings

import numpy as np
import pytest

from minidl.data import TextDataset, cifar10, digits, fashion_mnist, image_folder, mnist, shakespeare, text

from .made_files import cifar_bytes, idx_bytes, write_idx_set

LABELS = "t10k-labels-idx1-ubyte"
IMAGES = "train-images-idx3-ubyte"


# --- the real sets ---


def test_digits():
    from sklearn.datasets import load_digits

    train, test = digits()
    table = load_digits()
    assert (len(train), len(test)) == (1437, 360)
    assert train.images.dtype == np.float32 and (train.images.min(), train.images.max()) == (0, 1)
    np.testing.assert_array_equal(np.concatenate([train.images, test.images])[:, 0] * 16, table.images)
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), table.target)
    assert test.classes == tuple("0123456789")


@pytest.mark.data
def test_real_mnist(data_folder):
    train, test = mnist(data_folder)
    assert train.images.shape == (60000, 1, 28, 28) and test.images.shape == (10000, 1, 28, 28)
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert abs(train.images.mean() / 255 - 0.1307) < 5e-5 and abs(train.images.std() / 255 - 0.3081) < 5e-5


@pytest.mark.data
def test_real_fashion_mnist(data_folder):
    train, test = fashion_mnist(data_folder / "fashion-mnist")  # the folder itself
    assert np.bincount(train.labels).tolist() == [6000] * 10 and np.bincount(test.labels).tolist() == [1000] * 10
    assert abs(train.images.mean() / 255 - 0.2860) < 5e-5 and abs(train.images.std() / 255 - 0.3530) < 5e-5
    assert train.classes[9] == "Ankle boot"


@pytest.mark.data
def test_real_sets_are_not_taken_for_each_other(data_folder):
    with pytest.raises(ValueError, match="t10k-labels.*these are the labels of MNIST, expected Fashion-MNIST"):
        fashion_mnist(data_folder / "mnist")


@pytest.mark.data
def test_real_cifar10(data_folder):
    with pytest.warns(
        UserWarning, match=r"20,000 images of 2 of 5 files, testing on the 1,000 images of test_batch_first1000"
    ):
        train, test = cifar10(data_folder)
    assert train.images.shape == (20000, 3, 32, 32)
    assert np.bincount(train.labels[:10000]).tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
    assert np.bincount(test.labels).tolist() == [103, 89, 100, 103, 90, 86, 112, 102, 106, 109]
    assert test.classes[test.labels[0]] == "cat"


@pytest.mark.data
def test_real_shakespeare(data_folder):
    train, test = shakespeare(data_folder, sequence_length=64)
    assert len(train.ids) + len(test.ids) == 1_115_394 and len(train.classes) == 65
    assert train.decode(train.ids[:14]) == "First Citizen:"


# --- where they are looked for ---


def test_lookup_order(no_data_elsewhere, tmp_path, monkeypatch):
    folders = {"given": tmp_path / "given", "environment": tmp_path / "environment", "cache": no_data_elsewhere}
    counts = {"given": 3, "environment": 6, "cache": 9}
    for name, folder in folders.items():
        write_idx_set(folder / "mnist", counts[name])
    monkeypatch.setenv("MINIDL_DATA", str(folders["environment"]))
    assert len(mnist(folders["given"])[0]) == 3
    assert len(mnist(folders["given"] / "mnist")[0]) == 3  # the folder itself
    assert len(mnist()[0]) == 6
    with pytest.raises(FileNotFoundError, match="MNIST was not found"):
        mnist(tmp_path)  # where a folder is given, no other is taken in its place
    monkeypatch.delenv("MINIDL_DATA")
    assert len(mnist()[0]) == 9


def test_the_home_folder_may_be_written_short(no_data_elsewhere, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_idx_set(tmp_path / "sets/mnist", 3)
    assert len(mnist("~/sets")[0]) == 3
    monkeypatch.setenv("MINIDL_DATA", "~/sets")
    assert len(mnist()[0]) == 3


def test_the_home_of_nobody_is_a_folder_that_is_not_there(no_data_elsewhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="the data folder ~nobody-here/sets does not exist"):
        mnist("~nobody-here/sets")
    with pytest.raises(FileNotFoundError, match="cannot be fetched to .*: ~nobody-here has no home folder"):
        mnist("~nobody-here/sets", download=True, mirrors=["http://127.0.0.1:1"])
    with pytest.raises(FileNotFoundError, match="the picture folder ~nobody-here/sets is no folder"):
        image_folder("~nobody-here/sets")
    monkeypatch.setenv("MINIDL_DATA", "~nobody-here/sets")
    with pytest.raises(FileNotFoundError, match="~nobody-here/sets/mnist: no such folder"):
        mnist()
    assert not list(tmp_path.iterdir())


def test_plain_files_and_torchvisions_folder(tmp_path):
    arrays = write_idx_set(tmp_path / "MNIST/raw", gzipped=False)
    train, test = mnist(tmp_path)
    np.testing.assert_array_equal(train.images[:, 0], arrays[IMAGES])
    np.testing.assert_array_equal(test.labels, arrays[LABELS])


def test_not_found_lists_every_place_and_what_to_type(no_data_elsewhere, tmp_path, monkeypatch):
    given, environment = tmp_path / "given", tmp_path / "environment"
    write_idx_set(given / "mnist")
    (given / "mnist" / f"{LABELS}.gz").unlink()
    monkeypatch.setenv("MINIDL_DATA", str(environment))
    places = {
        given: (given / "mnist", given),
        None: (environment / "mnist", environment, no_data_elsewhere / "mnist"),
    }
    for root, searched in places.items():
        with pytest.raises(FileNotFoundError) as caught:
            mnist(root)
        message = str(caught.value)
        assert all((f"  {place}: " in message) == (place in searched) for looked in places.values() for place in looked)
        assert ("lacks " + LABELS in message) == (root is not None)
        call = "data.mnist(download=True)" if root is None else f"data.mnist('{given}', download=True)"
        for advice in ("--data DIR", "MINIDL_DATA", call):
            assert advice in message


def test_a_given_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        mnist(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="is a file, expected a folder"):
        cifar10(tmp_path / "file")


# --- damaged IDX files ---


def idx_header(*shape, magic=2051):
    return struct.pack(f">{1 + len(shape)}I", magic, *shape)


@pytest.mark.parametrize(
    "name, content, message",
    [
        (
            IMAGES,
            idx_header(30, 28, 28) + bytes(30 * 784 - 1),
            r"truncated file, the shape \(30, 28, 28\) .* needs 23520 bytes and the file holds 23519",
        ),
        (
            IMAGES,
            idx_header(30, 28, 28) + bytes(30 * 784 + 1),
            "oversized file, .* needs 23520 bytes and the file holds more",
        ),
        (IMAGES, idx_header(2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(100), "truncated file.*the file holds 100"),
        (IMAGES, idx_header(30, 28, 28, magic=2049) + bytes(30 * 784), "its magic number is 2049, expected 2051"),
        (IMAGES, b"\x89PNG\r\n\x1a\n" + bytes(20), "not an IDX file.*magic number is 2303741511"),
        (IMAGES, b"\0\0\x08", "truncated file, an IDX header of 3 axes needs 16 bytes and the file holds 3"),
        (IMAGES, b"", "truncated file, .* the file holds 0"),
        (IMAGES, idx_header(0, 28, 28), r"gives the shape \(0, 28, 28\), expected at least 1"),
        (IMAGES, idx_header(30, 14, 56) + bytes(30 * 784), "images of 14x56, expected 28x28"),
        (IMAGES, idx_header(29, 28, 28) + bytes(29 * 784), "holds 29 images but .* holds 30 labels"),
        (
            LABELS,
            idx_header(10, magic=2049) + bytes(9) + b"\x0a",
            r"label 10 at position 9 is out of range, expected 0\.\.9",
        ),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_damaged_idx_files_are_refused_by_name(tmp_path, name, content, message, gzipped):
    write_idx_set(tmp_path / "mnist", gzipped=False)
    path = tmp_path / "mnist" / name
    path.unlink()
    if gzipped:
        path = path.with_name(f"{name}.gz")
    path.write_bytes(gzip.compress(content) if gzipped else content)
    with pytest.raises(ValueError, match=message) as caught:
        mnist(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [lambda z: z[: len(z) // 2], lambda z: z[:-4], lambda z: b"no gzip" + z, lambda z: z[:200] + bytes(200) + z[400:]],
)
def test_damaged_gzip_files_are_refused_by_name(tmp_path, damage):
    write_idx_set(tmp_path / "mnist")
    path = tmp_path / "mnist" / f"{IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="truncated or damaged gzip file") as caught:
        mnist(tmp_path)
    assert str(path) in str(caught.value)


def test_a_promise_of_gigabytes_costs_no_memory(tmp_path):
    write_idx_set(tmp_path / "mnist", gzipped=False)
    (tmp_path / "mnist" / IMAGES).write_bytes(idx_header(60000, 10000, 10000) + bytes(1000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="needs 6000000000000 bytes"):
        mnist(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


# --- CIFAR-10 ---


def write_cifar(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.bin").write_bytes(content)
    return folder


def test_cifar10_whole_set(tmp_path):
    write_cifar(
        tmp_path, **{f"data_batch_{n}": cifar_bytes(4, seed=n) for n in range(1, 6)}, test_batch=cifar_bytes(3, seed=9)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, test = cifar10(tmp_path)
    assert (len(train), len(test)) == (20, 3)
    record = np.frombuffer(cifar_bytes(4, seed=2), np.uint8)[3073:6146]  # the second of data_batch_2
    assert train.labels[5] == record[0]
    assert train.images[5, 1, 2, 3] == record[1 + 1024 + 2 * 32 + 3]  # green, row 2, column 3


def test_cifar10_uses_what_is_there_and_says_so(tmp_path):
    write_cifar(tmp_path, data_batch_3=cifar_bytes(4), test_batch=cifar_bytes(3))
    with pytest.warns(
        UserWarning,
        match="not complete: training on the 4 images of 1 of 5 files, testing on the 3 images of test_batch.bin",
    ):
        cifar10(tmp_path)


@pytest.mark.parametrize(
    "content, message",
    [
        (cifar_bytes(2)[:-1], "6145 bytes, expected a whole number of records of 3073 bytes"),
        (b"", "0 bytes, expected a whole number"),
        (bytes(3073 * 10_000 + 1), "oversized file, expected at most 10000 records"),
        (b"\x0b" + bytes(3072), r"label 11 at position 0 is out of range, expected 0\.\.9"),
    ],
)
def test_damaged_cifar_files_are_refused_by_name(tmp_path, content, message):
    write_cifar(tmp_path, data_batch_1=content, test_batch=cifar_bytes(1))
    with pytest.raises(ValueError, match=message) as caught:
        cifar10(tmp_path)
    assert str(tmp_path / "data_batch_1.bin") in str(caught.value)


def test_cifar_without_a_test_file(no_data_elsewhere, tmp_path):
    write_cifar(tmp_path, data_batch_1=cifar_bytes(1))
    with pytest.raises(FileNotFoundError, match="lacks test_batch.bin or test_batch_first1000.bin"):
        cifar10(tmp_path)


# --- text ---


def test_text(tmp_path):
    content = "Ein Märchen: «Es war einmal…» 🐺\n" * 20
    (tmp_path / "t.txt").write_text(content, encoding="utf-8")
    train, test = text(tmp_path / "t.txt", sequence_length=10, test_fraction=0.25)
    assert train.decode(train.ids) + test.decode(test.ids) == content
    assert list(train.classes) == sorted(set(content)) and test.classes == train.classes
    assert train.encode(content[:50]).tolist() == train.ids[:50].tolist()
    x, y = train[3]
    assert train.decode(x) == content[30:40] and train.decode(y) == content[31:41]
    with pytest.raises(ValueError, match="'Q' is not in the vocabulary"):
        train.encode("Qx")
    with pytest.raises(IndexError):
        train[len(train)]


@pytest.mark.parametrize("length, stride, count", [(10, None, 9), (10, 1, 90), (9, None, 11), (99, None, 1)])
def test_text_pieces(tmp_path, length, stride, count):
    (tmp_path / "t.txt").write_text("abcdefghij" * 20)
    dataset = text(tmp_path / "t.txt", 5, 0.5)[0].with_length(length, stride)
    assert len(dataset) == count
    x, y = dataset.get_batch(np.arange(count))
    assert x.shape == y.shape == (count, length) and x.dtype == np.int64
    np.testing.assert_array_equal(y[:, :-1], x[:, 1:])
    last = dataset[-1][1]
    assert dataset.decode(last[-1:]) in "abcdefghij"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "0 characters, too few"),
        (b"short", "5 characters, too few"),
        (b"abc\xff" * 100, "not a text in UTF-8, byte 0xff at position 3"),
    ],
)
def test_bad_text(tmp_path, content, message):
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        text(tmp_path / "t.txt", sequence_length=10)


@pytest.mark.parametrize("characters, dtype", [(1, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_the_numbers_of_a_text_are_as_small_as_its_vocabulary_allows(tmp_path, characters, dtype):
    content = "".join(chr(0x4E00 + place) for place in range(characters)) * 40
    (tmp_path / "t.txt").write_text(content, encoding="utf-8")
    train, test = text(tmp_path / "t.txt", sequence_length=2)
    assert train.ids.dtype == test.ids.dtype == dtype
    assert train.decode(train.ids) + test.decode(test.ids) == content


@pytest.mark.parametrize("characters, test_fraction", [(22, 0.5), (44, 0.25), (44, 0.75)])
def test_each_part_of_a_text_needs_one_character_more_than_a_piece(tmp_path, characters, test_fraction):
    (tmp_path / "t.txt").write_text("ab" * (characters // 2))
    assert min(len(part) for part in text(tmp_path / "t.txt", 10, test_fraction)) == 1
    (tmp_path / "t.txt").write_text("ab" * (characters // 2 - 1))
    with pytest.raises(ValueError, match=r"too few: training and test part each need 11 \(sequence_length \+ 1\)"):
        text(tmp_path / "t.txt", 10, test_fraction)


def test_text_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.txt does not exist"):
        text(tmp_path / "nowhere.txt")
    with pytest.raises(FileNotFoundError, match="is a folder, expected a file"):
        text(tmp_path)
    with pytest.raises(ValueError, match="test_fraction must lie between"):
        text(tmp_path / "t.txt", test_fraction=1)


def test_idx_round_trip_of_the_helper():
    assert idx_bytes(np.zeros((2, 3), np.uint8))[:12] == b"\0\0\x08\x02\0\0\0\x02\0\0\0\x03"


@pytest.mark.parametrize("ids", [[0, 1, 2], [-1, 0, 1]])
def test_text_of_places_that_the_vocabulary_does_not_have(ids):
    with pytest.raises(ValueError, match=rf"ids must be from 0 to 1, got {min(ids)} to {max(ids)}"):
        TextDataset(np.array(ids), "ab", sequence_length=2)


@pytest.mark.parametrize("ids", [[-1], [2], [[0, 1]], [0.5]])
def test_places_that_are_none_are_not_decoded(ids):
    dataset = TextDataset(np.array([0, 1, 0]), "ab", sequence_length=2)
    assert dataset.decode([]) == "" and dataset.decode((1, 0)) == "ba"
    with pytest.raises(ValueError, match=r"ids must be integers \(T,\) from 0 to 1, got"):
        dataset.decode(ids)
