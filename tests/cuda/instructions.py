"""What the main loops of the matrix product and the convolution consist of, in machine code: no GPU is needed.

A multiprocessor of sm_90 starts one instruction of a warp a cycle in each of its quarters, a multiply-add as any other.
So the share of multiply-adds in a loop is the most that it can reach of the peak. `python -m tests.cuda.instructions`
prints it for every kernel of the ladder. Counted is what stands in the loop: of two ways to copy a slice, in vectors
and one by one, both, though a block goes only one.

An instruction has 16 bytes, its lowest 12 bits say which it is. NVIDIA documents the names alone; the numbers are those
that its disassembler shows.
"""

from __future__ import annotations

import struct
from collections import Counter

from tests.cuda import nvrtc
from tests.cuda.compile_gate import KERNELS, VARIANTS, Variant, cuda

NAMES = {
    0x223: "FFMA", 0x22B: "DFMA", 0x23C: "HMMA", 0x23E: "F2FP", 0x984: "LDS", 0x83B: "LDSM", 0x388: "STS",
    0x981: "LDG", 0x986: "STG", 0xFAE: "LDGSTS", 0x947: "BRA", 0x944: "CALL", 0xB1D: "BAR",
}  # fmt: skip
MULTIPLY_ADDS = ("FFMA", "DFMA", "HMMA")


def main_loops(variant: Variant, architecture: str = "90") -> dict[str, Counter[str]]:
    """The instructions in the loop of each kernel that has the most multiply-adds, "other" for those without a name."""
    module = cuda.CudaModule(KERNELS / variant.source, **variant.defines)
    cubin, _ = nvrtc.machine_code(module.code(()), module.options, architecture)
    loops = {}
    for kernel, code in _sections(cubin):
        words = list(struct.iter_unpack("<Qq", code))
        names = [NAMES.get(low & 0xFFF, "other") for low, _ in words]
        found = [Counter(names[first : i + 1]) for i, first in _backward_branches(words)]
        if found:
            loops[kernel] = max(found, key=share)
    return loops


def reads_between_writes(variant: Variant, kernel: str, architecture: str = "90") -> int:
    """The most reads of global memory, in any loop of the kernel, of which none waits for a write."""
    loops = [" ".join(loop) for loop in _loops(variant, kernel, architecture)]
    return max(part.split().count("LDG") for loop in loops for part in loop.split("STG")[:-1])


def reads_at_once(variant: Variant, kernel: str, architecture: str = "90") -> int:
    """The most reads of global memory in a loop of the kernel that writes nothing."""
    loops = _loops(variant, kernel, architecture)
    return max(loop.count("LDG") for loop in loops if "STG" not in loop)


def calls_in_loops(variant: Variant, kernel: str, architecture: str = "90") -> int:
    """How many times the loops of the kernel call a function: that of a division, whose unusual cases take long."""
    return sum(loop.count("CALL") for loop in _loops(variant, kernel, architecture))


def share(loop: Counter[str]) -> float:
    return sum(loop[name] for name in MULTIPLY_ADDS) / loop.total()


def _loops(variant: Variant, kernel: str, architecture: str) -> list[list[str]]:
    """The names of the instructions in each loop of the kernel."""
    module = cuda.CudaModule(KERNELS / variant.source, **variant.defines)
    cubin, _ = nvrtc.machine_code(module.code(()), module.options, architecture)
    words = list(struct.iter_unpack("<Qq", dict(_sections(cubin))[kernel]))
    names = [NAMES.get(low & 0xFFF, "other") for low, _ in words]
    return [names[first : i + 1] for i, first in _backward_branches(words)]


def _backward_branches(words: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs (branch, first instruction of its loop)."""
    pairs = []
    for i, (low, _) in enumerate(words):
        if NAMES.get(low & 0xFFF) == "BRA":
            signed = low - (1 << 64) if low >> 63 else low
            distance = ((signed >> 34) << 8 | low >> 16 & 0xFF) // 4  # in instructions, from the one behind the branch
            if distance < -1:
                pairs.append((i, i + 1 + distance))
    return pairs


def _sections(cubin: bytes) -> list[tuple[str, bytes]]:
    """Name and code of each kernel: the sections ".text.NAME" of an ELF file."""
    (table,), (entry, count, names) = struct.unpack_from("<Q", cubin, 0x28), struct.unpack_from("<HHH", cubin, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", cubin, table + i * entry) for i in range(count)]
    found = []
    for name, _, _, _, offset, size in headers:
        start = headers[names][4] + name
        text = cubin[start : cubin.index(b"\0", start)].decode()
        if text.startswith(".text."):
            found.append((text.removeprefix(".text."), cubin[offset : offset + size]))
    return found


def main() -> None:
    print(f"multiply-adds among the instructions of the main loop, sm_90, NVRTC {nvrtc.version()}")
    for variant in VARIANTS:
        if variant.source.startswith(("matmul", "conv2d/cuda_gpu.cu")):
            print(f"\n{variant.name}")
            for kernel, loop in sorted(main_loops(variant).items()):
                if share(loop):
                    counts = ", ".join(f"{name} {n}" for name, n in loop.most_common())
                    print(f"  {kernel:28}{share(loop):7.1%}   {counts}")


if __name__ == "__main__":
    main()
