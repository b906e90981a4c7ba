"""Every kernel compiles for every supported GPU, within its budget of registers, shared memory and spills."""

from __future__ import annotations

import re

import pytest

from minidl.kernels import cuda
from minidl.kernels.cuda.thread_rows import READS_AT_ONCE
from tests.cuda import compile_gate, instructions, nvrtc

pytestmark = pytest.mark.cuda
needs_nvrtc = pytest.mark.skipif(
    nvrtc.find_library() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc, or set MINIDL_NVRTC"
)


# Kernels of which the compiler puts a few bytes into memory on some architecture. The first two do so outside their
# inner loops; the last waits for memory anyway.
MAY_SPILL = {"matmul_async": 16, "depthwise_weight_grad": 16, "softmax_forward": 32}


def test_every_source_has_a_budget():
    sources = {path.relative_to(compile_gate.KERNELS).as_posix() for path in compile_gate.KERNELS.glob("*/*.cu")}
    assert sources == {variant.source for variant in compile_gate.VARIANTS}
    assert set(compile_gate.read_budget()) == {variant.name for variant in compile_gate.VARIANTS}
    assert set(compile_gate.read_digests()) == set(compile_gate.read_budget())


@needs_nvrtc
@pytest.mark.parametrize("variant", compile_gate.VARIANTS, ids=lambda variant: variant.name.replace("/cuda_gpu", ""))
def test_within_budget(variant):
    if compile_gate.read_digests()[variant.name] == variant.digest():
        return  # what was measured for the budget
    budget, slack = compile_gate.read_budget()[variant.name], compile_gate.slack()
    for architecture in nvrtc.ARCHITECTURES:
        used = variant.compile_for(architecture)
        assert set(used) == set(budget), "kernels without a budget, or the reverse"
        for kernel, usage in used.items():
            limits = budget[kernel][architecture]
            for resource, value, limit, more in zip(usage._fields, usage, limits, slack, strict=True):
                assert value <= limit + more, (
                    f"{kernel} on sm_{architecture}: {value} {resource}, the budget is {limit}"
                )


def test_large_tiles_leave_room_for_two_blocks_and_hardly_anything_spills():
    """What the tiles were chosen for: 65536 registers hold two blocks of 256 threads, or of 128 in TF32."""
    for name, kernels in compile_gate.read_budget().items():
        for kernel, architectures in kernels.items():
            for usage in architectures.values():
                if "BLOCK_M=128 BLOCK_N=128" in name and kernel.startswith(("conv2d", "matmul_async")):
                    assert usage.registers <= 128, (name, kernel)
                if kernel == "matmul_tf32":
                    assert usage.registers <= 256 and usage.spills == 0, (name, kernel)
                assert usage.spills <= MAY_SPILL.get(kernel, 0), (name, kernel)


# The least share of multiply-adds in the main loop of the largest tile on sm_90.
SHARES = {
    "matmul_naive": 0.1, "matmul_tiled": 0.2, "matmul_registers": 0.35, "matmul_async": 0.83,
    "conv2d_forward": 0.77, "conv2d_input_grad_stride_1": 0.77, "conv2d_input_grad": 0.705, "conv2d_weight_grad": 0.6,
}  # fmt: skip


# kernel: its source, and the reads of global memory that its loop has under way at once, on sm_90
READS = {
    "normalize": ("normalization/cuda_gpu.cu", 4), "normalize_gradient": ("normalization/cuda_gpu.cu", 8),
    "row_forward": ("normalization/cuda_gpu_rows.cu", 8), "row_input_grad": ("normalization/cuda_gpu_rows.cu", 8),
    "softmax_forward": ("softmax/cuda_gpu.cu", 4), "softmax_input_grad": ("softmax/cuda_gpu.cu", 8),
    "cross_entropy_backward": ("cross_entropy/cuda_gpu.cu", 4), "sgd_step": ("optimizers/cuda_gpu.cu", 8),
}  # fmt: skip


@needs_nvrtc
@pytest.mark.parametrize("kernel", READS)
def test_reads_do_not_wait_for_writes(kernel):
    source, least = READS[kernel]
    [variant, *_] = [variant for variant in compile_gate.VARIANTS if variant.source == source]
    assert instructions.reads_between_writes(variant, kernel) >= least


@needs_nvrtc
def test_reads_that_wait_for_writes_are_noticed(monkeypatch):
    """Planted: what __restrict__ is for."""
    code = cuda.CudaModule.code
    monkeypatch.setattr(cuda.CudaModule, "code", lambda *args: code(*args).replace("__restrict__", ""))
    for kernel, (source, least) in READS.items():
        [variant, *_] = [variant for variant in compile_gate.VARIANTS if variant.source == source]
        assert instructions.reads_between_writes(variant, kernel) < least, kernel


@needs_nvrtc
@pytest.mark.parametrize(
    "kernel, source, arrays",
    [
        ("sums_of_columns", "channel_sums", 2),
        ("sums_of_planes", "channel_sums", 2),
        ("moments_of_columns", "normalization", 1),
    ],
)
def test_sums_read_eight_numbers_at_once(kernel, source, arrays):
    """With 4 blocks of 256 threads, 32 kB for each multiprocessor: about what the memory of an H200 needs under way."""
    [variant, *_] = [variant for variant in compile_gate.VARIANTS if variant.source == f"{source}/cuda_gpu.cu"]
    assert instructions.reads_at_once(variant, kernel) >= arrays * READS_AT_ONCE


@needs_nvrtc
@pytest.mark.parametrize(
    "kernel, source", [("softmax_forward", "softmax"), ("cross_entropy_backward", "cross_entropy")]
)
def test_a_row_is_divided_by_its_sum_once(kernel, source):
    """Not number by number: a division is more instructions than the exponential, and the next read waits for it."""
    [variant, *_] = [variant for variant in compile_gate.VARIANTS if variant.source == f"{source}/cuda_gpu.cu"]
    assert instructions.calls_in_loops(variant, kernel) == 0


LEAST_TF32 = 0.355  # of tensor-core instructions, for any order of the operands


def shares(path, **defines):
    variant = compile_gate.Variant(path, {"scalar": "float", **(defines or compile_gate.LARGE._asdict())})
    return {kernel: instructions.share(loop) for kernel, loop in instructions.main_loops(variant).items()}


@needs_nvrtc
def test_main_loops_multiply_most_of_the_time():
    found = shares("matmul/cuda_gpu.cu") | shares("conv2d/cuda_gpu.cu")
    for kernel, least in SHARES.items():
        assert found[kernel] >= least, f"{kernel}: {found[kernel]:.1%} multiply-adds"


@needs_nvrtc
@pytest.mark.parametrize("a_along_l", [1, 0])
@pytest.mark.parametrize("b_along_l", [1, 0])
def test_tensor_cores_are_fed(a_along_l, b_along_l):
    found = shares("matmul/cuda_gpu_tf32.cu", A_ALONG_L=a_along_l, B_ALONG_L=b_along_l)["matmul_tf32"]
    assert found >= LEAST_TF32, f"{found:.1%} multiply-adds"


@needs_nvrtc
def test_addresses_computed_in_every_slice_are_noticed(monkeypatch):
    """Planted: what keep() is for."""
    code = cuda.CudaModule.code
    monkeypatch.setattr(cuda.CudaModule, "code", lambda *args: re.sub(r'asm volatile\(""[^;]*', "", code(*args)))
    assert shares("matmul/cuda_gpu.cu")["matmul_async"] < SHARES["matmul_async"]
    assert shares("matmul/cuda_gpu_tf32.cu", A_ALONG_L=1, B_ALONG_L=0)["matmul_tf32"] < LEAST_TF32


@needs_nvrtc
def test_a_register_hog_is_noticed(tmp_path):
    """Planted: 64 x 64 accumulators in one thread cannot stay in registers."""
    source = tmp_path / "hog.cu"
    source.write_text("""
extern "C" __global__ void hog(const float* x, float* y, int n) {
  float acc[512];
  #pragma unroll
  for (int i = 0; i < 512; i++) acc[i] = x[i];
  for (int k = 0; k < n; k++) {
    #pragma unroll
    for (int i = 0; i < 512; i++) acc[i] = acc[i] * x[k] + acc[(i + 1) % 512];
  }
  #pragma unroll
  for (int i = 0; i < 512; i++) y[i] = acc[i];
}
""")
    module = cuda.CudaModule(source)
    usage = nvrtc.compile_for(module.code(()), module.options, "90")["hog"]
    assert usage.registers == 255 and usage.spills > 0


@needs_nvrtc
def test_a_mistake_is_reported_with_its_line(tmp_path):
    source = tmp_path / "wrong.cu"
    source.write_text('#include "common.cuh"\nextern "C" __global__ void f(scalar* x) { x[0] = unknown; }\n')
    module = cuda.CudaModule(source)
    with pytest.raises(RuntimeError, match=r"wrong.cu\(2\).*unknown"):
        nvrtc.compile_for(module.code(()), module.options, "90")
