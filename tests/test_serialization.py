"""save and load: what comes back, and that no file can make anything run."""

import errno
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.numpy

import minidl
from minidl import nn
from minidl.serialization import atomic_file, read_safetensors, write_atomically, write_safetensors

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
    np.savez(tmp_path / "half.npz", h=halves)
    assert minidl.load(tmp_path / "half.npz")["h"].dtype == np.float32


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
    np.savez(tmp_path / "objects.npz", x=np.array([marker(tmp_path / "ran")], dtype=object))
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


# PyTorch's files, written by PyTorch


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def through_torch(torch, tmp_path, what, **options):
    torch.save(what, tmp_path / "state.pth", **options)
    return minidl.load(tmp_path / "state.pth")


def test_a_state_dict_of_pytorch(torch, tmp_path):
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 5)
    )
    model.eval()
    loaded = through_torch(torch, tmp_path, model.state_dict())
    ours = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 5)).eval()
    ours.load_state_dict(loaded)
    x = np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours(minidl.tensor(x)).data, expected, rtol=1e-5, atol=1e-6)


def test_types_strides_and_shared_storages_of_pytorch(torch, tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "transposed": base.t(), "part": base[1:3, ::2], "row": base[2], "number": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "expanded": torch.ones(1).expand(5), "double": base.double(), "long": torch.arange(3),
        "int": torch.arange(3).int(),
        "short": torch.arange(3).short(), "char": torch.arange(-1, 2).char(), "byte": torch.arange(3).byte(),
        "bool": torch.tensor([True, False]), "half": base.half(), "bfloat16": base.bfloat16(),
        "parameter": torch.nn.Parameter(base),
    }  # fmt: skip
    loaded = through_torch(torch, tmp_path, tensors)
    for name, tensor in tensors.items():
        expected = tensor.detach()
        expected = (expected.float() if name in ("half", "bfloat16") else expected).numpy()
        assert loaded[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(loaded[name].data, expected, err_msg=name)
    loaded["row"].data[0] = -1  # they share their memory as they did in PyTorch
    assert loaded["transposed"].data[0, 2] == -1
    assert list(loaded) == list(tensors)


def test_a_training_checkpoint_of_pytorch(torch, tmp_path):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).backward()
    optimizer.step()
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "name": "a",
        "size": torch.Size([2, 3]),
        "seen": {1, 2},
        "best": None,
    }
    loaded = through_torch(torch, tmp_path, checkpoint)
    assert loaded["epoch"] == 3 and loaded["name"] == "a" and loaded["size"] == (2, 3) and loaded["seen"] == {1, 2}
    np.testing.assert_array_equal(loaded["model"]["weight"].data, model.weight.detach().numpy())
    ours = nn.Linear(2, 1)
    ours_optimizer = minidl.optim.Adam(ours.parameters())
    ours.load_state_dict(loaded["model"])
    ours_optimizer.load_state_dict(loaded["optimizer"])


def test_a_whole_module_is_refused_by_the_name_of_its_class(torch, tmp_path):
    with pytest.raises(ValueError, match=r"state\.pth: refused.*torch\.nn\.modules\.linear\.Linear.*state_dict"):
        through_torch(torch, tmp_path, torch.nn.Linear(1, 1))


def test_the_old_format_is_refused_with_what_to_do(torch, tmp_path):
    with pytest.raises(ValueError, match="not a zip archive.*save it again"):
        through_torch(torch, tmp_path, {"x": torch.ones(1)}, _use_new_zipfile_serialization=False)


def test_what_numpy_cannot_hold_is_refused_by_name(torch, tmp_path):
    for odd in (
        torch.ones(1, dtype=torch.complex64),
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.ones(2, 2).to_sparse(),
    ):
        with pytest.raises(ValueError, match=r"state\.pth: refused, because it asks for torch"):
            through_torch(torch, tmp_path, {"x": odd})
    with pytest.raises(ValueError, match="a tensor is the negative of its storage; save tensor.resolve_neg"):
        through_torch(torch, tmp_path, {"x": torch.ones(2, dtype=torch.complex64).conj().imag})
    with pytest.raises(ValueError, match="holds a list"):
        through_torch(torch, tmp_path, [1, 2])


def test_every_truncation_of_a_pytorch_file_is_an_error(torch, tmp_path):
    path = tmp_path / "state.pth"
    torch.save({"x": torch.arange(40.0)}, path)
    content = path.read_bytes()
    for kept in range(0, len(content), 53):
        path.write_bytes(content[:kept])
        with pytest.raises(ValueError, match=r"state\.pth"):
            minidl.load(path)


def test_flipped_bytes_never_run_or_crash(torch, tmp_path):
    """Any one byte of the pickle changed: an error of ours, or another state dict; nothing else."""
    torch.save(OrderedDict(a=torch.arange(4.0), b=torch.ones(2, 2)), tmp_path / "state.pth")
    with zipfile.ZipFile(tmp_path / "state.pth") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    program = members["state/data.pkl"]
    generator = np.random.default_rng(0)
    for _ in range(400):
        changed = bytearray(program)
        changed[generator.integers(len(program))] = generator.integers(256)
        path = archive_of(tmp_path, changed, members)
        try:
            minidl.load(path)
        except ValueError as error:
            assert "planted.pth" in str(error)


# PyTorch's files, written by somebody else


def archive_of(tmp_path, program, members=None, compression=zipfile.ZIP_STORED):
    """A file of PyTorch's form with this pickle."""
    path = tmp_path / "planted.pth"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in (members or {"state/version": b"3\n"}).items():
            if not name.endswith("data.pkl"):
                archive.writestr(name, content)
        archive.writestr("state/data.pkl", bytes(program))
    return path


class Runs:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def marker(path):
    return Runs(os.system, f"touch {path}")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_planted_call_is_refused_by_its_name_and_not_run(tmp_path, protocol):
    ran = tmp_path / "ran"
    for planted, name in [
        ({"w": marker(ran)}, "posix.system"),
        ({"w": Runs(eval, f"open({str(ran)!r}, 'w')")}, "eval"),
        ({"w": Runs(getattr, "", "format")}, "getattr"),
        ({"w": Runs(np.load, str(ran))}, "numpy"),
        (OrderedDict(w=Runs(__import__, "os")), "__import__"),
    ]:
        path = archive_of(tmp_path, pickle.dumps(planted, protocol))
        with pytest.raises(
            ValueError, match=rf"planted\.pth: refused, because it asks for .*{name}.*nothing in it was run"
        ):
            minidl.load(path)
    assert not ran.exists()


def test_a_name_with_dots_is_refused(tmp_path):
    """Protocol 4 names attributes of attributes: collections.OrderedDict.__init__.__globals__ and the like."""
    program = b"\x80\x04\x8c\x0bcollections\x8c\x1aOrderedDict.__subclasses__\x93)R."
    with pytest.raises(ValueError, match="refused, because it asks for collections.OrderedDict.__subclasses__"):
        minidl.load(archive_of(tmp_path, program))


def test_nothing_that_a_pickle_gets_can_be_changed_by_it(tmp_path):
    """BUILD sets attributes: it must not reach anything that outlives the load."""
    for target in (
        "collections\nOrderedDict",
        "torch\nSize",
        "builtins\nset",
        "torch._utils\n_rebuild_tensor_v2",
        "torch\nFloatStorage",
    ):
        program = f"c{target}\n".encode() + b"(dS'planted'\nI1\nsb."
        with pytest.raises(ValueError, match="planted.pth: truncated or damaged"):  # from BUILD: nothing was set
            minidl.load(archive_of(tmp_path, program))
    assert not hasattr(OrderedDict, "planted")


def tensor_program(size, stride, offset=0, elements=4, storage="FloatStorage"):
    """A pickle of {"x": tensor} that places the tensor anywhere."""
    numbers = lambda values: b"(" + b"".join(b"I%d\n" % value for value in values) + b"t"  # noqa: E731
    reference = b"(S'storage'\nctorch\n" + storage.encode() + b"\nS'0'\nS'cpu'\n" + b"I%d\n" % elements + b"tQ"
    rebuild = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + reference
        + b"I%d\n" % offset
        + numbers(size)
        + numbers(stride)
        + b"I00\nNtR"
    )
    return b"(dS'x'\n" + rebuild + b"s."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (5,), "stride": (1,)}, "beyond its storage of 4 numbers"),
        ({"size": (2, 2), "stride": (3, 1)}, "beyond"),
        ({"size": (2,), "stride": (1,), "offset": 3}, "beyond"),
        ({"size": (2,), "stride": (-1,), "offset": 3}, "stride"),
        ({"size": (2,), "stride": (1,), "offset": -1}, "offset -1"),
        ({"size": (-2,), "stride": (1,)}, "size"),
        ({"size": (2,), "stride": (1, 1)}, "stride"),
        ({"size": (2**62, 2**62), "stride": (1, 1)}, "beyond"),
        ({"size": (4,), "stride": (1,), "elements": 1000}, "truncated: the storage 0 holds 4 numbers, expected 1000"),
        ({"size": (1,), "stride": (1,), "storage": "ComplexFloatStorage"}, "torch.ComplexFloatStorage"),
    ],
)
def test_a_tensor_stays_within_its_storage(tmp_path, arguments, message):
    members = {"state/version": b"3\n", "state/data/0": np.arange(4, dtype=np.float32).tobytes()}
    good = minidl.load(archive_of(tmp_path, tensor_program((2, 2), (1, 2)), members))
    assert good["x"].tolist() == [[0, 2], [1, 3]]
    with pytest.raises(ValueError, match=rf"planted\.pth: .*{message}"):
        minidl.load(archive_of(tmp_path, tensor_program(**arguments), members))


def test_a_compressed_member_is_refused(tmp_path):
    path = archive_of(tmp_path, b"(d.", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="compressed, which torch.save never does"):
        minidl.load(path)


def test_an_archive_without_a_pickle_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(ValueError, match="no file that torch.save wrote"):
        minidl.load(tmp_path / "other.pt")


def test_storages_of_the_other_byte_order(tmp_path):
    members = {"state/version": b"3\n", "state/byteorder": b"big", "state/data/0": np.arange(4, dtype=">f4").tobytes()}
    loaded = minidl.load(archive_of(tmp_path, tensor_program((4,), (1,)), members))
    assert loaded["x"].tolist() == [0, 1, 2, 3] and loaded["x"].dtype.isnative


def test_pytorchs_weights_only_is_taken_and_a_missing_folder_is_named(tmp_path):
    minidl.save(tmp_path / "w.npz", {"w": minidl.ones(2)})
    assert minidl.load(tmp_path / "w.npz", weights_only=True)["w"].tolist() == [1.0, 1.0]
    with pytest.raises(FileNotFoundError, match=r"folder .*absent does not exist, so w\.npz"):
        minidl.save(tmp_path / "absent" / "w.npz", {"w": minidl.ones(2)})


def test_random_numbers_like_those_of_a_tensor():
    x = minidl.zeros(2, 3)
    assert minidl.randn_like(x).shape == minidl.rand_like(x).shape == (2, 3)


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
