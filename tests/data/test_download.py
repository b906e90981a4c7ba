"""Downloads from a server on the loopback: good ones, and every way in which they go wrong."""

import errno
import hashlib
import http.client
import http.server
import io
import os
import ssl
import tarfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from minidl.data import cifar10, mnist, shakespeare
from minidl.data import download as download_module
from minidl.data.download import RemoteFile, download
from minidl.data.sources import cifar10 as cifar10_module
from minidl.data.sources import mnist as mnist_module
from minidl.data.sources import text as text_module

from .made_files import cifar_bytes, write_idx_set

CONTENT = bytes(range(256)) * 20_000  # 5 MB, several chunks


def remote(name: str, content: bytes) -> RemoteFile:
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest())


class Server:
    """Serves `files` (path: content) and behaves badly where `faults` (path: kind) says so."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self.requests: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.released = threading.Event()
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, handler):
        self.requests.append(handler.path)
        content, fault = self.files.get(handler.path), self.faults.get(handler.path)
        if content is None:
            handler.send_error(404)
            return
        handler.send_response(200)
        if fault != "truncated without a length":
            handler.send_header("Content-Length", str(len(content) + (1000 if fault == "endless" else 0)))
        handler.end_headers()
        if fault in ("truncated", "truncated without a length"):
            content = content[: len(content) // 2]
        if fault == "changed":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if fault == "endless":
            content += bytes(1000)
        try:
            if fault == "stalls":
                handler.wfile.write(content[:100])
                handler.wfile.flush()
                self.released.wait(10)
            else:
                handler.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client had enough

    def close(self):
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.close()


def test_a_good_download(server, tmp_path):
    server.files["/set/a.bin"] = CONTENT
    path = download(remote("a.bin", CONTENT), tmp_path / "new" / "folder", [server.address + "/set/"])
    assert path == tmp_path / "new" / "folder" / "a.bin" and path.read_bytes() == CONTENT
    assert os.listdir(path.parent) == ["a.bin"]
    assert path.stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize(
    "fault, message",
    [
        ("truncated", "IncompleteRead|sent [0-9]+ of 5120000 bytes"),
        ("truncated without a length", "sent 2560000 of 5120000 bytes"),
        ("changed", "another file: its sha256 is [0-9a-f]{64}, expected"),
        ("endless", "more than the 5120000 bytes"),
        ("stalls", "timed out"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(server, tmp_path, monkeypatch, fault, message):
    monkeypatch.setattr(download_module, "TIMEOUT", 0.3)
    server.files["/a.bin"], server.faults["/a.bin"] = CONTENT, fault
    with pytest.raises(OSError, match=message) as caught:
        download(remote("a.bin", CONTENT), tmp_path, [server.address])
    assert f"{server.address}/a.bin: " in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_not_found_and_no_server(server, tmp_path):
    with pytest.raises(OSError) as caught:
        download(remote("a.bin", CONTENT), tmp_path, [server.address, "http://127.0.0.1:1"])
    assert "404" in str(caught.value) and "http://127.0.0.1:1/a.bin: " in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_the_next_mirror_is_tried(server, tmp_path):
    server.files |= {"/bad/a.bin": CONTENT, "/good/a.bin": CONTENT}
    server.faults["/bad/a.bin"] = "changed"
    mirrors = [f"{server.address}/{name}" for name in ("missing", "bad", "good")]
    assert download(remote("a.bin", CONTENT), tmp_path, mirrors).read_bytes() == CONTENT
    assert server.requests == ["/missing/a.bin", "/bad/a.bin", "/good/a.bin"]


def test_any_error_of_the_network_leads_to_the_next_mirror(server, tmp_path, monkeypatch):
    """An error of TLS in the middle of a file is an OSError and no more: neither a ConnectionError nor a URLError."""
    server.files |= {"/bad/a.bin": CONTENT, "/good/a.bin": CONTENT}
    read = http.client.HTTPResponse.read

    def read_or_fail(response, size):
        if server.requests == ["/bad/a.bin"]:
            raise ssl.SSLError(1, "decryption failed or bad record mac")
        return read(response, size)

    monkeypatch.setattr(http.client.HTTPResponse, "read", read_or_fail)
    mirrors = [f"{server.address}/{name}" for name in ("bad", "good")]
    assert download(remote("a.bin", CONTENT), tmp_path, mirrors).read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_full_disk_is_told_with_the_file_and_asks_no_other_mirror(server, tmp_path, monkeypatch):
    server.files |= {"/1/a.bin": CONTENT, "/2/a.bin": CONTENT}

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device: .*a.bin'$"):
        download(remote("a.bin", CONTENT), tmp_path, [f"{server.address}/1", f"{server.address}/2"])
    assert server.requests == ["/1/a.bin"] and os.listdir(tmp_path) == []


def test_mirrors_that_are_no_list(tmp_path):
    with pytest.raises(TypeError, match="a sequence of addresses, got the text 'https://host'"):
        download(remote("a.bin", CONTENT), tmp_path / "new", "https://host")
    with pytest.raises(ValueError, match="at least one address"):
        download(remote("a.bin", CONTENT), tmp_path / "new", [])
    assert os.listdir(tmp_path) == []


def test_a_failed_download_keeps_the_file_that_was_there(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    server.files["/a.bin"], server.faults["/a.bin"] = CONTENT, "truncated"
    with pytest.raises(OSError):
        download(remote("a.bin", CONTENT), tmp_path, [server.address])
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def age(path: Path, seconds: float) -> Path:
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_what_a_killed_download_left_is_removed(server, tmp_path):
    server.files["/a.bin"] = CONTENT
    for name in (".a.bin.01234567.partial", ".a.bin.89abcdef.partial", ".other.bin.01234567.partial"):
        (tmp_path / name).write_bytes(b"a part")
    age(tmp_path / ".a.bin.01234567.partial", 3700)
    age(tmp_path / ".a.bin.89abcdef.partial", 3500)  # of another process, which may be downloading now
    age(tmp_path / ".other.bin.01234567.partial", 3700)
    download(remote("a.bin", CONTENT), tmp_path, [server.address])
    assert sorted(os.listdir(tmp_path)) == [".a.bin.89abcdef.partial", ".other.bin.01234567.partial", "a.bin"]


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        download(remote("a.bin", CONTENT), tmp_path / "file", [server.address])
    assert server.requests == []


@pytest.fixture
def served_mnist(server, tmp_path, monkeypatch):
    """A small MNIST on the server, whose checksums are the expected ones."""
    write_idx_set(tmp_path / "origin", count=9)
    contents = {path.name: path.read_bytes() for path in (tmp_path / "origin").iterdir()}
    server.files = {f"/{name}": content for name, content in contents.items()}
    files = tuple(remote(file.name, contents[file.name]) for file in mnist_module.MNIST.files)
    monkeypatch.setattr(mnist_module, "MNIST", replace(mnist_module.MNIST, files=files))
    return server


def test_mnist_is_downloaded_when_asked_only(served_mnist, no_data_elsewhere, tmp_path):
    with pytest.raises(FileNotFoundError):
        mnist(tmp_path, mirrors=[served_mnist.address])
    assert served_mnist.requests == []
    train, _ = mnist(tmp_path / "data", download=True, mirrors=[served_mnist.address])
    assert len(train) == 9 and len(os.listdir(tmp_path / "data" / "mnist")) == 4
    mnist(tmp_path / "data", download=True, mirrors=[served_mnist.address])
    assert len(served_mnist.requests) == 4  # nothing was fetched twice


def test_mnist_goes_to_the_cache_and_only_what_lacks_is_fetched(served_mnist, no_data_elsewhere):
    mnist(download=True, mirrors=[served_mnist.address])
    (no_data_elsewhere / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    del served_mnist.requests[:]
    assert len(mnist(download=True, mirrors=[served_mnist.address])[0]) == 9
    assert served_mnist.requests == ["/train-labels-idx1-ubyte.gz"]


def test_a_user_without_a_home_folder(served_mnist, no_data_elsewhere, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)  # in no table of users
    with pytest.raises(FileNotFoundError, match="~/.cache/minidl/mnist: no such folder"):
        mnist()
    with pytest.raises(FileNotFoundError, match="~ has no home folder; give another root=DIR, or set XDG_CACHE_HOME"):
        mnist(download=True)


def test_mnist_that_cannot_be_downloaded(served_mnist, no_data_elsewhere):
    served_mnist.faults["/t10k-images-idx3-ubyte.gz"] = "truncated"
    with pytest.raises(OSError, match="t10k-images-idx3-ubyte.gz could not be downloaded"):
        mnist(download=True, mirrors=[served_mnist.address])
    assert sorted(os.listdir(no_data_elsewhere / "mnist")) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


@pytest.mark.data
def test_the_checksums_are_those_of_the_real_files(server, data_folder, tmp_path):
    for name in ("mnist", "fashion-mnist"):
        for path in (data_folder / name).iterdir():
            server.files[f"/{name}/{path.name}"] = path.read_bytes()
    from minidl.data import fashion_mnist

    assert len(mnist(tmp_path, download=True, mirrors=[f"{server.address}/mnist"])[0]) == 60000
    assert len(fashion_mnist(tmp_path, download=True, mirrors=[f"{server.address}/fashion-mnist"])[0]) == 60000
    server.files["/input.txt"] = (data_folder / "tinyshakespeare" / "input.txt").read_bytes()
    assert len(shakespeare(tmp_path, download=True, mirrors=[server.address])[0].classes) == 65


def archive(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for number, name in enumerate(names):
            content = cifar_bytes(2, seed=number)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


CIFAR_NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def test_cifar10_is_taken_out_of_its_archive(server, tmp_path, monkeypatch):
    outside = tmp_path / "outside.bin"
    content = archive([f"cifar-10-batches-bin/{name}" for name in CIFAR_NAMES] + ["../outside.bin", str(outside)])
    server.files["/cifar-10-binary.tar.gz"] = content
    monkeypatch.setattr(cifar10_module, "ARCHIVE", remote("cifar-10-binary.tar.gz", content))
    train, test = cifar10(tmp_path / "data", download=True, mirrors=[server.address])
    assert (len(train), len(test)) == (10, 2)
    assert sorted(os.listdir(tmp_path / "data" / "cifar-10-batches-bin")) == CIFAR_NAMES
    assert not outside.exists() and not list(Path(tmp_path).rglob("outside.bin"))


def test_what_a_killed_download_of_cifar10_left_is_removed(server, tmp_path, monkeypatch):
    content = archive([f"cifar-10-batches-bin/{name}" for name in CIFAR_NAMES])
    server.files["/cifar-10-binary.tar.gz"] = content
    monkeypatch.setattr(cifar10_module, "ARCHIVE", remote("cifar-10-binary.tar.gz", content))
    folder = tmp_path / "cifar-10-batches-bin"
    for name, seconds in ((".download.abandoned", 3700), (".download.running", 100)):
        (folder / name).mkdir(parents=True)
        (folder / name / ".archive.partial").write_bytes(b"a part")
        age(folder / name / ".archive.partial", seconds)
        age(folder / name, 3700)
    cifar10(tmp_path, download=True, mirrors=[server.address])
    assert sorted(os.listdir(folder)) == [".download.running", *CIFAR_NAMES]


def test_cifar10_that_is_there_in_part_is_completed(server, tmp_path, monkeypatch):
    content = archive([f"cifar-10-batches-bin/{name}" for name in CIFAR_NAMES])
    server.files["/cifar-10-binary.tar.gz"] = content
    monkeypatch.setattr(cifar10_module, "ARCHIVE", remote("cifar-10-binary.tar.gz", content))
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name in ("data_batch_3.bin", "test_batch_first1000.bin"):
        (folder / name).write_bytes(cifar_bytes(1))
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train, test = cifar10(tmp_path, download=True, mirrors=[server.address])
        assert (len(train), len(test)) == (10, 2) and len(server.requests) == 1


def test_cifar10_archive_without_a_file(server, tmp_path, monkeypatch):
    content = archive([f"cifar-10-batches-bin/{name}" for name in CIFAR_NAMES[1:]])
    server.files["/cifar-10-binary.tar.gz"] = content
    monkeypatch.setattr(cifar10_module, "ARCHIVE", remote("cifar-10-binary.tar.gz", content))
    with pytest.raises(ValueError, match="lacks cifar-10-batches-bin/data_batch_1.bin"):
        cifar10(tmp_path / "data", download=True, mirrors=[server.address])


def test_shakespeare(server, no_data_elsewhere, monkeypatch):
    content = b"To be, or not to be: that is the question.\n" * 50
    server.files["/input.txt"] = content
    monkeypatch.setattr(text_module, "SHAKESPEARE", remote("input.txt", content))
    train, test = shakespeare(sequence_length=20, download=True, mirrors=[server.address])
    assert (len(train.ids), len(test.ids)) == (len(content) * 9 // 10, len(content) // 10)  # by default
    assert len(shakespeare(sequence_length=20, test_fraction=0.4)[1].ids) == len(content) * 4 // 10
    assert (no_data_elsewhere / "tinyshakespeare" / "input.txt").read_bytes() == content
