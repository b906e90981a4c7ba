// The second pass of a product whose sum was cut into parts.
#pragma once
#include "common.cuh"
#include "result_tile.cuh"
#include "thread_rows.cuh"

// c[e] = epilogue(sum_s parts[s][e]), always in the same order: the same bits every time. Block (32, 1 to 8): a lane
// an element of c, whose rows have n numbers, and the rows of threads share the parts.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
add_parts(const scalar* parts, const scalar* bias, scalar* c, int relu, long long elements, int n, int splits) {
  __shared__ scalar shared[THREAD_ROWS][WARP];
  const long long e = (long long)blockIdx.x * WARP + threadIdx.x;
  const scalar sum = sum_of_parts(parts, elements, e, splits, shared);
  if (threadIdx.y > 0 || e >= elements) return;
  const Epilogue epilogue = {bias, relu != 0};
  c[e] = epilogue(sum, epilogue.bias_of((int)(e % n), n));
}
