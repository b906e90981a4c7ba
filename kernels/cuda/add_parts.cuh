// The second pass of a sum that was cut into parts.
#pragma once
#include "common.cuh"
#include "result_tile.cuh"

// c[e] = epilogue(sum_s parts[s][e]), always in the order of s: the same bits every time. One thread an element of c,
// whose rows have n numbers.
extern "C" __global__ void add_parts(const scalar* parts, const scalar* bias, scalar* c, int relu, long long elements,
                                     int n, int splits) {
  const long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  scalar sum = 0;
  for (int s = 0; s < splits; s++) sum += parts[s * elements + e];
  const Epilogue epilogue = {bias, relu != 0};
  c[e] = epilogue(sum, epilogue.bias_of((int)(e % n), n));
}
