"""Turn the text of a ``.cu`` file into a shared object for the CPU, kept by the hash of all that went into it."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
RUNTIME_SOURCES = sorted((HERE / "runtime").glob("*.cpp"))
COMPILE_FLAGS = (
    "-std=c++20",
    "-g1",
    "-gdwarf-4",  # addr2line of binutils 2.40 mistakes the file in version 5
    "-fno-var-tracking",  # -g1 tells of lines alone
    "-fno-var-tracking-assignments",
    "-fPIC",
    "-fno-gnu-unique",  # else the static variables of two loaded kernels become one
    "-fno-strict-aliasing",
    "-fno-optimize-sibling-calls",  # a barrier at the end of a kernel is called from there, for the line in a report
    "-ffp-contract=fast",  # multiply and add in one rounding, as nvcc does
    "-march=native",
    "-Wno-unknown-pragmas",  # #pragma unroll
)
FAST_FLAGS = ("-O2",)
# Accesses as they stand in the source: no vectorisation, no merging of stores, no splitting of a float4.
CHECK_FLAGS = (
    "-O1",  # most kernels are compiled for longer than they run; at -Og a false misaligned access is reported
    "-fsanitize=thread",
    "-fno-tree-sra",
    "-fno-tree-vectorize",
    "-fno-store-merging",
    "--param=tsan-distinguish-volatile=0",
    "--param=tsan-instrument-func-entry-exit=0",
)

_ALIGNMENT = r"(?:(?:__align__|alignas)\s*\(\s*(?P<alignment>[^)]*)\)\s*)?"
_TYPE_AND_NAME = r"(?P<type>[\w:<>]+(?:\s+\w+)*?)\s+(?P<name>\w+)\s*"
_SHARED = re.compile(rf"__shared__\s+{_ALIGNMENT}{_TYPE_AND_NAME}(?P<extent>(?:\[[^\];]+\]\s*)*);")
_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+(?:void\s+)?(?:__launch_bounds__\s*\((?P<bounds>[^)]*)\)\s*)?(?:void\s+)?'
    r"(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)"
)


class EmulatorError(RuntimeError):
    """A kernel did what a GPU would not allow, or could not be compiled."""


@functools.cache
def compiler() -> str:
    """Return the path of g++, or raise what is missing."""
    if sys.platform != "linux":
        raise EmulatorError(f"the CUDA emulator reads the tables of Linux executables and cannot run on {sys.platform}")
    path = shutil.which("g++")
    if path is None:
        raise EmulatorError("the CUDA emulator needs g++ (GCC 10 or newer) on the PATH: apt install g++, for example")
    return path


def cache_folder() -> Path:
    """Where compiled kernels are kept: ``MINIDL_EMULATOR_CACHE``, else a folder of this user's in the temporary one."""
    chosen = os.environ.get("MINIDL_EMULATOR_CACHE")
    return Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"minidl-cuda-emulator-{os.getuid()}"


def translate(code: str) -> str:
    """CUDA C to C++: only the declarations of ``__shared__`` arrays change, and a table of the kernels follows."""

    def shared(match: re.Match[str]) -> str:
        element, name = match["type"], match["name"]
        alignment = match["alignment"] or f"alignof({element})"
        return (
            f"static const char {name}_key = 0; using {name}_type = {element}{match['extent']}; "
            f"{name}_type& {name} = *static_cast<{name}_type*>("
            f'emulator_shared_array("{name}", &{name}_key, sizeof({name}_type), sizeof({element}), {alignment}));'
        )

    body = _SHARED.sub(shared, code)
    left = re.search(r"^.*\b__shared__\b.*$", _without_comments(body), re.MULTILINE)
    if left:
        raise EmulatorError(f"the emulator cannot read this declaration (one array each, please): {left[0].strip()}")
    table = ['#line 1 "table of kernels"', 'extern "C" const EmulatedKernel emulator_kernels[] = {']
    for kernel in _KERNEL.finditer(_without_comments(code)):
        name, max_threads = kernel["name"], (kernel["bounds"] or "0").split(",")[0]
        table.append(f'EmulatorCall<{name}>::record("{name}", {max_threads}),')
    return "\n".join(['#line 1 "kernel.cu"', body, *table, "{}};", ""])  # text from a file begins with its own #line


def parameter_names(code: str) -> dict[str, list[str]]:
    """The parameters of every kernel in the text, by their names."""
    return {
        kernel["name"]: [text.split()[-1].strip("*") for text in kernel["parameters"].split(",") if text.strip()]
        for kernel in _KERNEL.finditer(_without_comments(code))
    }


def build(code: str, defines: tuple[str, ...], check: bool, extra_flags: tuple[str, ...] = ()) -> Path:
    """Compile the text of a kernel file (its headers inlined) and return the path of the shared object."""
    body = translate(code)
    flags = (*COMPILE_FLAGS, *(CHECK_FLAGS if check else FAST_FLAGS), *extra_flags)
    key = _digest(body, *flags, *defines, _emulator_digest())
    library = cache_folder() / f"{key}.so"
    if not library.exists():
        runtime = build_runtime(extra_flags)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "kernel.cpp"
            source.write_text(body)
            _run("-include", _precompiled_header(flags), *flags, *defines, "-c", source, "-o", f"{folder}/kernel.o")
            _run("-shared", f"{folder}/kernel.o", runtime, "-o", f"{folder}/kernel.so")  # and never libtsan
            _put(Path(folder) / "kernel.so", library)
    return library


def _precompiled_header(flags: tuple[str, ...]) -> Path:
    """What to include for include/cuda_device.h, which g++ would read for longer than it compiles most kernels."""
    target = cache_folder() / f"header-{_digest(*flags, _emulator_digest())}" / "cuda_device.h.gch"
    if not target.exists():
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / target.name
            _run(*flags, "-x", "c++-header", HERE / "include" / "cuda_device.h", "-o", made)
            _put(made, target)
    return target.with_suffix("")


def build_runtime(extra_flags: tuple[str, ...] = ()) -> Path:
    """Compile runtime/*.cpp to the shared object that all kernels call; one copy serves the whole process."""
    target = (cache_folder() / f"runtime-{_digest(*extra_flags, _emulator_digest())}.so").resolve()
    if not target.exists():
        with tempfile.TemporaryDirectory() as folder:
            flags = ("-std=c++20", "-O2", "-g1", "-fPIC", *extra_flags)
            _run(*flags, "-shared", *RUNTIME_SOURCES, "-ldl", "-o", f"{folder}/runtime.so")
            _put(Path(folder) / "runtime.so", target)
    return target


def source_lines(library: Path, offsets: list[int]) -> list[str]:
    """The lines of the .cu or .cuh files behind addresses in a shared object, each as ``name.cu:12``; "" if unknown.

    Of functions inlined into each other the innermost counts, but not those of the twin headers.
    """
    twins = {path.name for path in (HERE / "include").glob("*.cuh")}
    command = ["addr2line", "-a", "-i", "-e", str(library), *map(hex, offsets)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = []
    for frames in re.split(r"^0x[0-9a-f]+\n", output, flags=re.MULTILINE)[1:]:
        places = [Path(frame.split(" ")[0]).name for frame in frames.splitlines()]
        own = [place for place in places if re.search(r"\.cuh?:\d", place) and place.split(":")[0] not in twins]
        lines.append(own[0] if own else "")
    return lines


def _without_comments(code: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", code, flags=re.DOTALL)


def _run(*arguments: object) -> None:
    command = [compiler(), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise EmulatorError(f"g++ refused the kernel:\n{result.stderr}")


def _put(made: Path, target: Path) -> None:
    """Move a finished file into the cache in one step, so that two processes can build the same one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as copy:
        copy.write(made.read_bytes())
    os.chmod(copy.name, 0o755)
    os.replace(copy.name, target)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@functools.cache
def _emulator_digest() -> str:
    """A hash of the emulator itself and of the machine, so that a change to either makes everything anew."""
    texts = [path.read_text() for folder in ("runtime", "include") for path in sorted((HERE / folder).iterdir())]
    version = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    return _digest(*texts, version, _processor(), Path(__file__).read_text())


def _processor() -> str:
    """What -march=native means here, for a cache folder that several machines share."""
    return subprocess.run([compiler(), "-march=native", "-Q", "--help=target"], capture_output=True, text=True).stdout
