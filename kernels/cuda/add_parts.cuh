// The second pass of a sum that was cut into parts.
#pragma once
#include "common.cuh"

// c[e] = sum_s parts[s][e], always in the order of s: the same bits every time. One thread an element.
extern "C" __global__ void add_parts(const scalar* parts, scalar* c, long long elements, int splits) {
  const long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  scalar sum = 0;
  for (int s = 0; s < splits; s++) sum += parts[s * elements + e];
  c[e] = sum;
}
