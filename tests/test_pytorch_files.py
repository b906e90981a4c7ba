"""PyTorch's files, read without PyTorch: what comes back, and that no file can make anything run."""

import os
import pickle
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

import minidl
from minidl import nn


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
        "empty": torch.zeros(0, 4), "of no columns": torch.zeros(5, 0),
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


def test_a_tensor_or_a_list_of_pytorch(torch, tmp_path):
    saved = torch.arange(6.0).reshape(2, 3)
    loaded = through_torch(torch, tmp_path, saved)
    assert isinstance(loaded, minidl.Tensor) and loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded.data, saved.numpy())
    (first, (second,)) = through_torch(torch, tmp_path, [1, (saved,)])
    assert first == 1 and second.shape == (2, 3)
    with pytest.raises(ValueError, match=r"state\.pth holds a list, expected a dict of tensors"):
        minidl.training.load_pretrained(nn.Linear(3, 2), tmp_path / "state.pth")


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
        "collections\nCounter",
        "torch\nSize",
        "builtins\nset",
        "torch._utils\n_rebuild_tensor_v2",
        "torch\nFloatStorage",
    ):
        for state in (b"(dS'planted'\nI1\ns", b"(N(dS'planted'\nI1\nst"):  # {"planted": 1}, or slots: (None, that)
            with pytest.raises(ValueError, match="planted.pth: truncated or damaged"):  # from BUILD: nothing was set
                minidl.load(archive_of(tmp_path, f"c{target}\n".encode() + state + b"b."))
    assert not hasattr(OrderedDict, "planted") and not hasattr(Counter, "planted")


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


@pytest.mark.parametrize("put", [b"p1000000\n", b"r\x40\x42\x0f\x00"])  # PUT and LONG_BINPUT, at the place 1,000,000
def test_a_place_far_beyond_the_pickle_takes_no_memory(tmp_path, put):
    with pytest.raises(ValueError, match=r"planted\.pth: damaged: its pickle of \d+ bytes .* at place 1000000"):
        minidl.load(archive_of(tmp_path, b"}" + put + b"."))


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


def test_map_location_moves_the_tensors_in_lists_and_dicts_too(torch, tmp_path, monkeypatch):
    moved = []
    monkeypatch.setattr(minidl.Tensor, "to", lambda x, device: moved.append(device) or x)
    what = {"epochs": 3, "lists": [torch.ones(2), (torch.zeros(1), "text")], "by name": {"x": torch.ones(1)}}
    torch.save(what, tmp_path / "state.pth")
    loaded = minidl.load(tmp_path / "state.pth", map_location="cuda:1")
    assert moved == ["cuda:1"] * 3
    ones, (zeros, text) = loaded["lists"]
    assert (ones.tolist(), zeros.tolist(), text, loaded["epochs"]) == ([1, 1], [0], "text", 3)
    assert loaded["by name"]["x"].tolist() == [1]
