// The emulated twin of kernels/cuda/tensor_core.cuh: the same functions, without PTX.
#pragma once
inline unsigned to_tf32(float x) {  // round to nearest, ties to even, to 10 bits of mantissa
  const unsigned bits = __float_as_uint(x);
  return x != x ? bits : (bits + 0xfffu + (bits >> 13 & 1)) & 0xffffe000u;
}
#define load_matrices(d, line) emulator_load_matrices(d, line, __LINE__)
#define mma_tf32_16x8x8(d, a, b, c) emulator_mma_tf32(d, a, b, c, __LINE__)
