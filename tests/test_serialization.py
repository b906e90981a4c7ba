"""save and load: what comes back, and that no file can make anything run."""

import errno
import json
import os
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import minidl
from minidl import nn
from minidl.serialization import atomic_file, json_text, read_safetensors, write_atomically, write_safetensors

STATE = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.array([1.5, -2.0]),
    "steps": np.array(7, dtype=np.int64),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
    **{name: np.ones(2, np.float32) for name in ("file", "allow_pickle", "arr_0", "layer.0/weight", "x.npy", "größe")},
}


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_what_is_saved_is_loaded(tmp_path, suffix):
    path = tmp_path / f"state{suffix}"
    minidl.save(path, {name: minidl.tensor(array) for name, array in STATE.items()})
    loaded = minidl.load(path)
    assert set(loaded) == set(STATE)
    for name, array in STATE.items():
        assert isinstance(loaded[name], minidl.Tensor) and loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name].data, array)
    loaded["weight"].data[0] = 5  # the memory is the reader's own


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_arrays_of_any_memory_order_are_written_as_they_read(tmp_path, suffix):
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    odd = {
        "transposed": x.T,
        "reversed": x[::-1],
        "strided": x[:, ::2],
        "big_endian": x.astype(">f4"),
        "broadcast": np.broadcast_to(x[0, 0], (3, 4)),
    }
    minidl.save(tmp_path / f"odd{suffix}", odd)
    for name, tensor in minidl.load(tmp_path / f"odd{suffix}").items():
        np.testing.assert_array_equal(tensor.data, odd[name], err_msg=name)


def test_others_read_what_is_written(tmp_path):
    minidl.save(tmp_path / "a.safetensors", STATE)
    for name, array in safetensors.numpy.load_file(tmp_path / "a.safetensors").items():
        np.testing.assert_array_equal(array, STATE[name])
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    model = torch.nn.Linear(3, 2)
    minidl.save(tmp_path / "linear.safetensors", nn.Linear(3, 2).state_dict())
    model.load_state_dict(load_file(tmp_path / "linear.safetensors"))


def test_half_precision_becomes_float32(tmp_path):
    values = [1.0, -2.5, 0.15625, float("inf")]
    halves = np.array(values, np.float16)
    brain = np.array(values, np.float32).view(np.uint32) >> 16
    header = json.dumps(
        {
            "h": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]},
            "b": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8, 16]},
        }
    )
    content = struct.pack("<Q", len(header)) + header.encode() + halves.tobytes() + brain.astype("<u2").tobytes()
    (tmp_path / "half.safetensors").write_bytes(content)
    loaded = minidl.load(tmp_path / "half.safetensors")
    assert loaded["h"].dtype == loaded["b"].dtype == np.float32
    assert loaded["h"].tolist() == values and loaded["b"].tolist() == [values[:2], values[2:]]
    np.savez(tmp_path / "half.npz", h=halves, other_order=halves.astype(">f2"))
    for tensor in minidl.load(tmp_path / "half.npz").values():
        assert tensor.dtype == np.float32 and tensor.tolist() == values


def test_texts_travel_beside_the_arrays(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"x": np.ones(2)}, {"note": "grüße \u2603"})
    arrays, texts = read_safetensors(tmp_path / "a.safetensors")
    assert texts == {"note": "grüße \u2603"} and arrays["x"].tolist() == [1, 1]
    write_safetensors(tmp_path / "b.safetensors", {"x": np.ones(2)})
    assert read_safetensors(tmp_path / "b.safetensors")[1] == {}


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt"])
@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 100, b"\xff" * 8 + b"{}", b"PK\x03\x04" + bytes(60)])
def test_a_damaged_file_is_named(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"broken{suffix}"):
        minidl.load(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_every_truncation_is_an_error(tmp_path, suffix):
    path = tmp_path / f"state{suffix}"
    minidl.save(path, STATE)
    content = path.read_bytes()
    for kept in range(0, len(content), 37):
        path.write_bytes(content[:kept])
        with pytest.raises(ValueError, match="state"):
            minidl.load(path)


def test_an_array_of_more_axes_than_numpy_has_names_its_file(tmp_path):
    header = b'{"w":{"dtype":"F32","shape":[%s1],"data_offsets":[0,4]}}' % (b"1," * 80)
    (tmp_path / "deep.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ValueError, match=r"deep\.safetensors: w cannot be an array \(.*dimension"):
        minidl.load(tmp_path / "deep.safetensors")


def test_wrong_calls(tmp_path):
    with pytest.raises(TypeError, match="path first"):
        minidl.save(STATE, "state.npz")
    with pytest.raises(TypeError, match="model.state_dict()"):
        minidl.save(tmp_path / "a.npz", nn.Linear(1, 1))
    with pytest.raises(TypeError, match="'epoch': int; a model with its optimizer.* training.save_checkpoint"):
        minidl.save(tmp_path / "a.npz", {"epoch": 3})
    with pytest.raises(ValueError, match=r"\.safetensors, \.npz for minidl to write it, got .*a\.pth"):
        minidl.save(tmp_path / "a.pth", STATE)
    with pytest.raises(ValueError, match="for minidl to read it"):
        minidl.load(tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError, match=r"a\.npz does not exist"):
        minidl.load(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        minidl.save(tmp_path / "no" / "a.npz", STATE)
    with pytest.raises(ValueError, match=r"ends at a null character, got 'a\\x00b'"):
        minidl.save(tmp_path / "a.npz", {"a\0b": np.zeros(1)})
    assert list(tmp_path.iterdir()) == []


def test_npz_of_objects_is_refused_and_runs_nothing(tmp_path):
    class Planted:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    np.savez(tmp_path / "objects.npz", x=np.array([Planted()], dtype=object))
    with pytest.raises(ValueError, match="objects.npz"):
        minidl.load(tmp_path / "objects.npz")
    assert not (tmp_path / "ran").exists()
    with zipfile.ZipFile(tmp_path / "notes.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(ValueError, match="notes.npz: its member notes.txt is no array"):
        minidl.load(tmp_path / "notes.npz")


def test_any_damage_of_an_npz_is_an_error_that_names_it(tmp_path):
    """One byte changed: other numbers, or a ValueError; also where it asks for decryption or another compression."""
    minidl.save(tmp_path / "a.npz", {"w": np.arange(6.0)})
    content = (tmp_path / "a.npz").read_bytes()
    for place in range(len(content)):
        for value in (1, 99):
            damaged = bytearray(content)
            damaged[place] ^= value
            (tmp_path / "a.npz").write_bytes(damaged)
            try:
                minidl.load(tmp_path / "a.npz")
            except ValueError as error:
                assert "a.npz" in str(error)


def test_npz_tells_names_apart_that_end_like_its_members(tmp_path):
    minidl.save(tmp_path / "a.npz", {"a.npy": np.zeros(2), "a": np.ones(3)})
    loaded = minidl.load(tmp_path / "a.npz")
    assert {name: tensor.tolist() for name, tensor in loaded.items()} == {"a.npy": [0, 0], "a": [1, 1, 1]}


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is double here")
def test_numbers_of_more_than_64_bits_are_refused(tmp_path):
    for suffix in (".safetensors", ".npz"):
        with pytest.raises(TypeError, match="of at most 64 bits.*'x': (float|longdouble)"):
            minidl.save(tmp_path / f"a{suffix}", {"x": np.zeros(2, np.longdouble)})
    np.savez(tmp_path / "b.npz", x=np.zeros(2, np.longdouble))
    with pytest.raises(ValueError, match="b.npz: x has the type (float|longdouble).*at most 64 bits"):
        minidl.load(tmp_path / "b.npz")


def test_the_name_of_the_texts_is_refused_for_an_array(tmp_path):
    with pytest.raises(ValueError, match="__metadata__"):
        minidl.save(tmp_path / "a.safetensors", {"__metadata__": np.zeros(2)})
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_disk_is_told_with_the_name_of_the_file(tmp_path, monkeypatch):
    def read_only(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr("builtins.open", read_only)
    monkeypatch.setattr(os, "unlink", read_only)
    with pytest.raises(OSError, match=f"Read-only file system: '{tmp_path / 'state.npz'}'"):
        minidl.save(tmp_path / "state.npz", STATE)


def test_an_error_without_a_number_keeps_its_text(tmp_path):
    with pytest.raises(OSError, match="^the disk is gone$"), atomic_file(tmp_path / "a"):
        raise OSError("the disk is gone")


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a", b"old")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", b"new")
    monkeypatch.undo()
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "a") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    (tmp_path / "w.npz").mkdir()
    with pytest.raises(FileNotFoundError, match=r"w\.npz is a folder, expected a file"):
        minidl.load(tmp_path / "w.npz")
    minidl.save(tmp_path / "w.npz" / "b.safetensors", {})
    with pytest.raises(FileNotFoundError, match=r"is a folder, expected a file, such as .*b\.safetensors$"):
        minidl.load(tmp_path / "w.npz")


def test_json_has_null_for_what_is_not_finite_however_deep_it_lies():
    values = {"numbers": (np.float32("inf"), [minidl.tensor(1.5), {"nan": float("nan")}]), "text": "NaN"}
    assert json.loads(json_text(values)) == {"numbers": [None, [1.5, {"nan": None}]], "text": "NaN"}


def test_pytorchs_weights_only_is_taken_and_a_missing_folder_is_named(tmp_path):
    minidl.save(tmp_path / "w.npz", {"w": minidl.ones(2)})
    assert minidl.load(tmp_path / "w.npz", weights_only=True)["w"].tolist() == [1.0, 1.0]
    with pytest.raises(FileNotFoundError, match=r"folder .*absent does not exist, so w\.npz"):
        minidl.save(tmp_path / "absent" / "w.npz", {"w": minidl.ones(2)})


def test_map_location_names_the_device(tmp_path, monkeypatch):
    moved = []
    monkeypatch.setattr(minidl.Tensor, "to", lambda x, device: moved.append(device) or x)
    minidl.save(tmp_path / "x.safetensors", {"x": minidl.ones(2)})
    assert minidl.load(tmp_path / "x.safetensors", map_location="cuda:1")["x"].tolist() == [1, 1]
    assert moved == ["cuda:1"]
    minidl.load(tmp_path / "x.safetensors", map_location=None)
    assert moved == ["cuda:1"]
    with pytest.raises(TypeError, match="map_location must be the name of a device"):
        minidl.load(tmp_path / "x.safetensors", map_location=lambda storage, loc: storage)
