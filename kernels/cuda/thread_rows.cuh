// Sums over the thread rows of a block of 32 x up to 8 threads, and over the partial sums of other blocks.
//
// Thread mapping: lanes (x) take neighbouring numbers, for coalesced reads, and the thread rows (y) share the terms of
// each sum. With one thread per number, few numbers and many parts, each thread would read the parts one after the
// other, waiting for each, and most of the GPU would be idle.
#pragma once
#include "common.cuh"

constexpr int THREAD_ROWS = 8;

// The sum of `value` over the thread rows, in all of them, in a fixed order.
template <class T>
__device__ __forceinline__ T over_thread_rows(T value, T (*shared)[WARP]) {
  __syncthreads();  // its earlier contents have been read
  shared[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  value = shared[0][threadIdx.x];
  for (int i = 1; i < (int)blockDim.y; i++) value += shared[i][threadIdx.x];
  return value;
}

// sum over parts of parts[part][e], e < elements. Of 8 thread rows, row y takes every 8th part from y on; with few
// parts the host launches fewer rows, so that each thread has something to read.
template <class T>
__device__ __forceinline__ T sum_of_parts(const T* parts, long long elements, long long e, int part_count,
                                          T (*shared)[WARP]) {
  T sum = 0;
  if (e < elements) {
#pragma unroll 8  // 8 reads in flight at once
    for (int part = threadIdx.y; part < part_count; part += blockDim.y) sum += parts[part * elements + e];
  }
  return over_thread_rows(sum, shared);
}
