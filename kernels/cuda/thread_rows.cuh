// Sums over the threads of a lane, in a block of 32 x up to 8 threads, and over parts that other blocks have left.
//
// Thread mapping: lanes take neighbouring numbers, as memory likes it, and the rows of threads share what is summed
// for each. With few numbers and many parts, one thread a number would read the parts one after the other, each read
// waiting for memory, while most of the GPU has nothing to do.
#pragma once
#include "common.cuh"

constexpr int THREAD_ROWS = 8;

// The sum of `value` over the thread rows, for all of them, in the same order every time.
template <class T>
__device__ __forceinline__ T over_thread_rows(T value, T (*shared)[WARP]) {
  __syncthreads();  // what is there has been read
  shared[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  value = shared[0][threadIdx.x];
  for (int i = 1; i < (int)blockDim.y; i++) value += shared[i][threadIdx.x];
  return value;
}

// sum over parts of parts[part][e], of which each part has `elements`. Of 8 thread rows, row y takes every 8th part from
// y on; with few parts the host takes fewer, so that many numbers need no more threads than reads.
template <class T>
__device__ __forceinline__ T sum_of_parts(const T* parts, long long elements, long long e, int part_count,
                                          T (*shared)[WARP]) {
  T sum = 0;
  if (e < elements) {
#pragma unroll 8  // as many reads on their way at once
    for (int part = threadIdx.y; part < part_count; part += blockDim.y) sum += parts[part * elements + e];
  }
  return over_thread_rows(sum, shared);
}
