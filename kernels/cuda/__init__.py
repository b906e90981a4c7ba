"""The host side of the CUDA kernels: source text, compilation, checked launches, and which GPU there is.

`kernels/<name>/cuda_gpu.cu` holds kernels in CUDA C, `cuda_gpu.py` beside it their host side, which takes everything
from here: `load(path, dtype)` for the compiled source, `current_runtime()` for the array library. Nothing here imports
CuPy before a GPU is asked for.

The headers of this folder:

* `common.cuh`: the small words of all kernels;
* `gemm_tile.cuh`: the main loop of a fast matrix product, which matmul and conv2d share (`gemm_tile.py`: which tile);
* `result_tile.cuh`: which tile of a product is a block's, and the epilogue, bias and ReLU, of what it stores;
* `rows.cuh`: one value over all threads of a row, for softmax and cross-entropy (`rows.py`: how many threads);
* `thread_rows.cuh`: sums over the 8 thread rows of a block, and over parts that other blocks have left
  (`thread_rows.py`: the grid);
* `add_parts.cuh`: the second pass of a product whose sum was cut into parts;
* `async_copy.cuh`, `tensor_core.cuh`, `keep.cuh`: the only places with PTX, the GPU's assembly language.

`counts.py` says how much a launch can count, and cuts batches of images into what it can. `budget.json` is what each
kernel may take of a GPU; a test compiles every kernel for every architecture and compares.
"""

from .detection import GpuStatus, gpu_status, is_available
from .module import DTYPES, CudaFunction, CudaModule, load
from .runtime import CupyRuntime, Runtime, array_library, current_runtime, unavailable, use_runtime

__all__ = [
    "DTYPES",
    "CudaFunction",
    "CudaModule",
    "CupyRuntime",
    "GpuStatus",
    "Runtime",
    "array_library",
    "current_runtime",
    "gpu_status",
    "is_available",
    "load",
    "unavailable",
    "use_runtime",
]
