"""Compile CUDA C for any GPU on a machine that has none: NVIDIA's run-time compiler through ctypes, no driver."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from minidl.serialization import write_atomically
from tests.cuda_emulator.build import cache_folder

ARCHITECTURES = ("80", "90", "100", "120")
# CuPy adds them to ours. Without the second, NVRTC 12 takes a generic lambda for a function of the CPU and refuses it.
CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")

_KERNEL_REPORT = re.compile(
    r"properties for (?P<name>\w+)\n"
    r".*?(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads\n"
    r".*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)"
)


class Usage(NamedTuple):
    """What one thread (registers) and one block (bytes of static shared memory) of a kernel take."""

    registers: int
    shared: int
    spills: int  # bytes of registers that did not fit and go through memory


def find_library() -> str | None:
    """The NVRTC library: MINIDL_NVRTC, else the one of the wheel `nvidia-cuda-nvrtc`; None if there is neither."""
    chosen = os.environ.get("MINIDL_NVRTC")
    if chosen:
        return chosen
    folders = [Path(entry) / "nvidia" for entry in sys.path if entry]
    found = [path for folder in folders for path in sorted(folder.glob("*/lib/libnvrtc.so.*"))]
    found = [path for path in found if "alt" not in path.name]
    return str(found[-1]) if found else None


@functools.cache
def _library() -> ctypes.CDLL:
    path = find_library()
    if path is None:
        raise RuntimeError("NVRTC is not installed: pip install nvidia-cuda-nvrtc, or set MINIDL_NVRTC to the library")
    return ctypes.CDLL(path)


def version() -> str:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


def machine_code(code: str, options: tuple[str, ...], architecture: str) -> tuple[bytes, str]:
    """The cubin, an ELF file, and the log of the compiler; kept by the hash of all that it was given."""
    arguments = (f"--gpu-architecture=sm_{architecture}", "--ptxas-options=-v", *CUPY_OPTIONS, *options)
    key = hashlib.sha256(repr((version(), code, arguments)).encode()).hexdigest()[:32]
    kept = cache_folder() / f"nvrtc-{key}.json"
    if not kept.exists():
        cubin, log = _compile(code, arguments)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps({"cubin": cubin.hex(), "log": log}).encode())
    found = json.loads(kept.read_text())
    return bytes.fromhex(found["cubin"]), found["log"]


def _compile(code: str, arguments: tuple[str, ...]) -> tuple[bytes, str]:
    """The cubin and the log; RuntimeError with the log if the compiler refuses."""
    library, program = _library(), ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"kernel.cu", 0, None, None)
    encoded = (ctypes.c_char_p * len(arguments))(*(argument.encode() for argument in arguments))
    failed = library.nvrtcCompileProgram(program, len(arguments), encoded)
    log = _bytes(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program).rstrip(b"\0").decode()
    cubin = b"" if failed else _bytes(library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN, program)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    if failed:
        raise RuntimeError(f"NVRTC {version()} refused the code with {arguments[0]}:\n{log}")
    return cubin, log


def _bytes(get_size: Callable, get: Callable, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    get_size(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    get(program, buffer)
    return buffer.raw


def compile_for(code: str, options: tuple[str, ...], architecture: str) -> dict[str, Usage]:
    """Compile to machine code and return what each kernel uses."""
    _, log = machine_code(code, options, architecture)
    usage = {}
    for report in _KERNEL_REPORT.finditer(log):
        shared = re.search(r"(\d+) bytes smem", report["rest"])
        spills = int(report["stores"]) + int(report["loads"])
        usage[report["name"]] = Usage(int(report["registers"]), int(shared[1]) if shared else 0, spills)
    return usage
