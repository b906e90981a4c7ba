// The second pass of a product whose sum over l was split.
#pragma once
#include "common.cuh"
#include "result_tile.cuh"
#include "thread_rows.cuh"

// c[e] = epilogue(sum_s parts[s][e]), in a fixed order, so that every run gives the same bits. c has rows of n numbers.
// Block (32, 1 to 8): lane x is an element of c; the thread rows y share the parts.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
add_parts(const scalar* parts, const scalar* bias, scalar* c, int relu, long long elements, int n, int splits) {
  __shared__ scalar shared[THREAD_ROWS][WARP];
  const long long e = (long long)blockIdx.x * WARP + threadIdx.x;
  const scalar sum = sum_of_parts(parts, elements, e, splits, shared);
  if (threadIdx.y > 0 || e >= elements) return;
  const Epilogue epilogue = {bias, relu != 0};
  c[e] = epilogue(sum, epilogue.bias_of((int)(e % n), n));
}
