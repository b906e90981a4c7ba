// Reductions (maximum, sum) over the threads that share a row of a matrix (rows, columns).
//
// WARPS_A_ROW warps share a row, and neighbouring lanes take neighbouring elements; a block has 8 warps. A short row
// has one warp (8 rows per block), which reduces by shuffles, without shared memory or a barrier. A long row has a
// whole block: each warp reduces by shuffles, then all threads read the 8 results from shared memory.
#pragma once
#include "common.cuh"

#ifndef WARPS_A_ROW
#define WARPS_A_ROW 1
#endif
constexpr int WARPS_A_BLOCK = 8;
constexpr int ROWS_A_BLOCK = WARPS_A_BLOCK / WARPS_A_ROW;
constexpr int ROW_THREADS = WARPS_A_ROW * WARP;

// Combines one value per thread over all threads of the row; `shared` has room for one value per warp of the block.
template <class T, class Combine>
__device__ __forceinline__ T over_row(T value, T* shared, Combine combine) {
#pragma unroll
  for (int bit = WARP / 2; bit > 0; bit /= 2) value = combine(value, __shfl_xor_sync(ALL_LANES, value, bit));
  if (WARPS_A_ROW == 1) return value;
  if (threadIdx.x % WARP == 0) shared[threadIdx.x / WARP] = value;
  __syncthreads();
  value = shared[0];
#pragma unroll
  for (int warp = 1; warp < WARPS_A_ROW; warp++) value = combine(value, shared[warp]);
  return value;
}

struct Maximum {
  __device__ scalar operator()(scalar a, scalar b) const { return a < b || b != b ? b : a; }  // NaN wins
};
struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
