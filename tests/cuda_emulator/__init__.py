"""A CUDA emulator for tests: runs an unchanged ``.cu`` file on the CPU and finds what is wrong with it.

``EmulatedModule(code=text).get_function(name)(grid, block, args)`` is as with ``cupy.RawModule``, on NumPy arrays.

How it works, in the order in which to read it:

1. ``build.py`` compiles the text with g++, ``include/cuda_device.h`` in front: threadIdx, barriers, shuffles, float4.
2. ``runtime/scheduler.cpp`` runs one fiber a CUDA thread, block after block.
3. ``runtime/checker.cpp`` sees each access to memory (through GCC's ThreadSanitizer hooks) and reports, with the thread
   and the line of the ``.cu`` file: out of bounds, misaligned, uninitialised shared memory, races.
4. ``runtime/profile.cpp`` counts sectors a request and bank conflicts for each line.

``emulated_gpu()`` makes the whole library use it: NumPy arrays then count as being on a GPU. With
``device_arrays=True`` the arrays of that GPU are a type of their own (``device_array.py``): ``model.to("cuda")`` makes
them, a silent way back to NumPy is an error, and each wait of the host for the GPU is noted.

What it cannot see: the registers and instructions of nvcc, memory fences, what other mathematical functions round to,
textures, dynamic shared memory, cooperative groups, the instructions of newer cards (wgmma, TMA).
"""

from .build import EmulatorError
from .device_array import DeviceArray, DeviceRuntime, library_calls, synchronizations
from .emulator import EmulatedModule, EmulatedRuntime, MemoryRow, memory_profile
from .gpu import emulated_gpu

__all__ = [
    "DeviceArray", "DeviceRuntime", "EmulatedModule", "EmulatedRuntime", "EmulatorError", "MemoryRow", "emulated_gpu",
    "library_calls", "memory_profile", "synchronizations",
]  # fmt: skip
