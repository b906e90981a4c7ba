"""The host side of the CUDA kernels: source text, compilation, checked launches, and which GPU there is.

`kernels/<name>/cuda_gpu.cu` holds kernels in CUDA C, `cuda_gpu.py` beside it their host side, which uses this
package: `load(path, dtype)` for the compiled source, `current_runtime()` for the array library. CuPy is not imported
before a GPU is asked for.

The headers of this folder:

* `common.cuh`: types and small functions for all kernels;
* `gemm_tile.cuh`: the main loop of a fast matrix product, which matmul and conv2d share (`gemm_tile.py` chooses tiles);
* `result_tile.cuh`: which tile of a product a block computes, and the epilogue (bias and ReLU) of what it stores;
* `rows.cuh`: reductions over all threads of a row, for softmax, cross-entropy and the normalization of rows (`rows.py`:
  how many threads);
* `thread_rows.cuh`: sums over the 8 thread rows of a block, and over the partial sums of other blocks
  (`thread_rows.py`: the grid);
* `add_parts.cuh`: the second pass of a product whose sum was split;
* `async_copy.cuh`, `tensor_core.cuh`, `keep.cuh`: the only files with PTX, the GPU's assembly language.

`counts.py` knows how much one launch can count, and cuts batches of images accordingly. `budget.json` limits the
registers and memory of each kernel; a test compiles every kernel for every architecture and compares.
"""

from .detection import GpuStatus, gpu_status, is_available
from .module import DTYPES, CudaFunction, CudaModule, load
from .runtime import CupyRuntime, Runtime, array_library, current_runtime, unavailable, use_runtime

__all__ = [
    "DTYPES", "CudaFunction", "CudaModule", "CupyRuntime", "GpuStatus", "Runtime", "array_library", "current_runtime",
    "gpu_status", "is_available", "load", "unavailable", "use_runtime",
]  # fmt: skip
