"""Hold what every CUDA kernel takes of a GPU against kernels/cuda/budget.json, by compiling it for each architecture.

The budget lists, for every source and the constants it is compiled with, each kernel's registers a thread, bytes of
static shared memory a block and bytes of spilled registers, per architecture. `python -m tests.cuda.compile_gate`
shows what they are now, `--budget` what is written there; with `--write` that becomes the budget, to be looked at
before it is committed. With it goes a digest of all that the compiler was given, as it takes a minute for all of it and
makes the same of the same: the tests compile what has another digest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from minidl.kernels import cuda
from minidl.kernels.cuda.gemm_tile import HALF, LARGE, MEDIUM, NARROW
from tests.cuda import nvrtc

KERNELS = Path(cuda.__file__).parents[1]
BUDGET = KERNELS / "cuda" / "budget.json"


class Variant(NamedTuple):
    """A source file and the constants it is compiled with."""

    source: str  # below kernels/
    defines: dict[str, str | int]

    @property
    def name(self) -> str:
        return " ".join([self.source, *(f"{key}={value}" for key, value in self.defines.items())])

    def compile_for(self, architecture: str) -> dict[str, nvrtc.Usage]:
        module = cuda.CudaModule(KERNELS / self.source, **self.defines)
        return nvrtc.compile_for(module.code(()), module.options, architecture)

    def digest(self) -> str:
        module = cuda.CudaModule(KERNELS / self.source, **self.defines)
        given = module.code(()), module.options, nvrtc.CUPY_OPTIONS, nvrtc.ARCHITECTURES, nvrtc.version()
        return hashlib.sha256(repr(given).encode()).hexdigest()[:16]


TILES = (("float", LARGE), ("float", HALF), ("float", NARROW), ("float", MEDIUM), ("double", MEDIUM))
VARIANTS = [
    *(Variant("matmul/cuda_gpu.cu", {"scalar": scalar, **tile._asdict()}) for scalar, tile in TILES),
    *(
        Variant("matmul/cuda_gpu.cu", {"scalar": "float", **LARGE._asdict(), "A_ALONG_L": a, "B_ALONG_L": 1})
        for a in (0, 1)  # 1 is forward of a linear layer
    ),
    *(
        Variant("matmul/cuda_gpu_tf32.cu", {"scalar": "float", "A_ALONG_L": a, "B_ALONG_L": b})
        for a in (1, 0)
        for b in (0, 1)
    ),
    *(Variant("conv2d/cuda_gpu.cu", {"scalar": scalar, **tile._asdict()}) for scalar, tile in TILES),
    *(
        Variant("conv2d/cuda_gpu_depthwise.cu", {"scalar": scalar, "TAPS": taps})
        for scalar, taps in (("float", 3), ("float", 8), ("double", 3), ("double", 7))
    ),
    Variant("pool2d/cuda_gpu.cu", {"scalar": "float", "position": "unsigned char"}),
    Variant("pool2d/cuda_gpu.cu", {"scalar": "double", "position": "int"}),
    Variant("pool2d/cuda_gpu.cu", {"scalar": "float", "position": "unsigned char", "CHANNELS_A_THREAD": 4}),
    *(Variant("conv2d_relu_pool/cuda_gpu.cu", {"scalar": scalar}) for scalar in ("float", "double")),
    Variant("channel_sums/cuda_gpu.cu", {"scalar": "float"}),
    Variant("channel_sums/cuda_gpu.cu", {"scalar": "double"}),
    Variant("softmax/cuda_gpu.cu", {"scalar": "float", "WARPS_A_ROW": 8}),
    Variant("softmax/cuda_gpu.cu", {"scalar": "double", "WARPS_A_ROW": 1}),
    Variant("cross_entropy/cuda_gpu.cu", {"scalar": "float", "WARPS_A_ROW": 8}),
    Variant("cross_entropy/cuda_gpu.cu", {"scalar": "double", "WARPS_A_ROW": 1}),
    Variant("normalization/cuda_gpu_rows.cu", {"scalar": "float", "WARPS_A_ROW": 8}),
    Variant("normalization/cuda_gpu_rows.cu", {"scalar": "double", "WARPS_A_ROW": 1}),
    *(
        Variant(f"{kernel}/cuda_gpu.cu", {"scalar": scalar})
        for kernel in ("activations", "dropout", "memory_order", "normalization", "optimizers", "recurrent")
        for scalar in ("float", "double")
    ),
]


def read_budget() -> dict[str, dict[str, dict[str, nvrtc.Usage]]]:
    """Variant name -> kernel -> architecture -> the most it may take."""
    stored = json.loads(BUDGET.read_text(encoding="utf-8"))["variants"]
    return {
        variant: {
            kernel: {architecture: nvrtc.Usage(*usage) for architecture, usage in architectures.items()}
            for kernel, architectures in kernels.items()
        }
        for variant, kernels in stored.items()
    }


def read_digests() -> dict[str, str]:
    """Variant name -> the digest of what it was when the budget was measured."""
    return json.loads(BUDGET.read_text(encoding="utf-8"))["digests"]


def slack() -> nvrtc.Usage:
    """What may come on top of the budget: nothing, but a little with another compiler than the one that wrote it."""
    written_by = json.loads(BUDGET.read_text(encoding="utf-8"))["nvrtc"]
    # NVRTC 12.9 takes 19 registers more in matmul_registers; 12.9 and 13.0 spill 48 bytes in convolutions of doubles.
    return nvrtc.Usage(0, 0, 0) if nvrtc.version() == written_by else nvrtc.Usage(registers=24, shared=0, spills=64)


def measure() -> dict[str, dict[str, dict[str, nvrtc.Usage]]]:
    found: dict[str, dict[str, dict[str, nvrtc.Usage]]] = {}
    for variant in VARIANTS:
        kernels = found.setdefault(variant.name, {})
        for architecture in nvrtc.ARCHITECTURES:
            for kernel, usage in sorted(variant.compile_for(architecture).items()):
                kernels.setdefault(kernel, {})[architecture] = usage
    return found


def _write(found: dict[str, dict[str, dict[str, nvrtc.Usage]]]) -> None:
    """One line a kernel, so that a change shows as such in a diff."""
    variants = []
    for variant, kernels in found.items():
        lines = [f"      {json.dumps(kernel)}: {json.dumps(limits)}" for kernel, limits in kernels.items()]
        variants.append(f"    {json.dumps(variant)}: {{\n" + ",\n".join(lines) + "\n    }")
    about = "registers a thread, bytes of static shared memory a block, bytes of spills; by compute capability"
    head = f'{{\n  "about": {json.dumps(about)},\n  "nvrtc": {json.dumps(nvrtc.version())},\n  "variants": {{\n'
    digests = json.dumps({variant.name: variant.digest() for variant in VARIANTS}, indent=4)[:-1]
    tail = f'\n  }},\n  "digests": {digests}  }}\n}}\n'
    BUDGET.write_text(head + ",\n".join(variants) + tail, encoding="utf-8")


def _print(found: dict[str, dict[str, dict[str, nvrtc.Usage]]]) -> None:
    """A table: a row a kernel, a column an architecture."""
    columns = "".join(f"{'sm_' + architecture:>18}" for architecture in nvrtc.ARCHITECTURES)
    print("registers a thread / bytes of shared memory a block / bytes spilled")
    for variant, kernels in found.items():
        print(f"\n{variant}\n  {'':24}{columns}")
        for kernel, architectures in kernels.items():
            cells = (f"{usage.registers} / {usage.shared} / {usage.spills}" for usage in architectures.values())
            print(f"  {kernel:24}" + "".join(f"{cell:>18}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="make what is measured the budget")
    parser.add_argument("--budget", action="store_true", help="show the budget, which takes no compiler")
    options = parser.parse_args()
    found = read_budget() if options.budget else measure()
    _print(found)
    if options.write:
        _write(found)


if __name__ == "__main__":
    main()
