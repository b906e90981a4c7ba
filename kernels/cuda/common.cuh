// Types and small functions for all kernels. `scalar` is float or double: the host compiles each file for both.
#pragma once
#ifndef scalar
#define scalar float
#endif

constexpr int WARP = 32;                    // threads that run in lockstep
constexpr unsigned ALL_LANES = 0xffffffffu;  // of a warp

// Numbers that a thread loads or stores in one instruction: at most 16 bytes, a vector of 4 floats or 2 doubles.
template <int COUNT, class T = scalar>
struct __align__(COUNT * sizeof(T)) Numbers {
  T value[COUNT];
};
constexpr int VECTOR = 16 / sizeof(scalar);
using vector = Numbers<VECTOR>;

__device__ __forceinline__ bool is_aligned(const void* address) { return (size_t)address % sizeof(vector) == 0; }

__device__ __forceinline__ scalar infinity() { return (scalar)__int_as_float(0x7f800000); }

// 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below: e^-|x| never overflows. NaN stays NaN.
__device__ __forceinline__ scalar sigmoid(scalar x) {
  const scalar power = exp(x < 0 ? x : -x);
  return (x < 0 ? power : (scalar)1) / (1 + power);
}

// The sum over the warp, in every lane (a butterfly: after each step, over the lanes that differ in the bits so far).
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int bit = WARP / 2; bit > 0; bit /= 2) value += __shfl_xor_sync(ALL_LANES, value, bit);
  return value;
}
