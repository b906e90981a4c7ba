// The emulated twin of kernels/cuda/tensor_core.cuh: the same functions, without PTX.
#pragma once
inline unsigned to_tf32(float x) {  // round to nearest, ties away from zero, to 10 bits of mantissa
  return (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
}
#define mma_tf32_16x8x8(d, a, b, c) emulator_mma_tf32(d, a, b, c, __LINE__)
