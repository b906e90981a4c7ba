// Softmax over rows, its logarithm, and their gradients. With max and sums over one row:
//
//     softmax_forward     y[c]  = exp(x[c] - max) / sum_k exp(x[k] - max)       or its logarithm
//     softmax_input_grad  dx[c] = y[c] * (dy[c] - sum_k dy[k] * y[k])           or, from the logarithm y,
//                         dx[c] = dy[c] - exp(y[c]) * sum_k dy[k]
//
// Thread mapping: WARPS_A_ROW warps share a row, neighbouring lanes take neighbouring elements. A short row is for one
// warp (8 rows a block): maximum and sum travel from lane to lane by shuffles, with no shared memory and no barrier. A
// long row is for a block (8 warps): each warp shuffles, then all read the 8 results from shared memory.
// A row is read two or three times, but from memory only once: the next times it is in the cache.
#include "common.cuh"

#ifndef WARPS_A_ROW
#define WARPS_A_ROW 1
#endif
constexpr int WARPS_A_BLOCK = 8;
constexpr int ROWS_A_BLOCK = WARPS_A_BLOCK / WARPS_A_ROW;
constexpr int ROW_THREADS = WARPS_A_ROW * WARP;

// Combines one value a thread over all threads of the row; `shared` has room for one value a warp of the block.
template <class Combine>
__device__ __forceinline__ scalar over_row(scalar value, scalar* shared, Combine combine) {
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
  __device__ scalar operator()(scalar a, scalar b) const { return a < b || b != b ? b : a; }  // NaN stays visible
};
struct Sum {
  __device__ scalar operator()(scalar a, scalar b) const { return a + b; }
};

extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
softmax_forward(const scalar* x, scalar* y, int rows, int columns, int logarithm) {
  __shared__ scalar maxima[WARPS_A_BLOCK];
  __shared__ scalar sums[WARPS_A_BLOCK];
  const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.y;
  if (row >= rows) return;  // a whole warp at once, and never one of a row that has several
  x += (size_t)row * columns;
  y += (size_t)row * columns;
  scalar largest = -infinity();
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS) largest = Maximum()(largest, x[c]);
  largest = over_row(largest, maxima, Maximum());
  scalar sum = 0;
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS) sum += exp(x[c] - largest);
  sum = over_row(sum, sums, Sum());
  const scalar log_sum = log(sum);
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS)
    y[c] = logarithm ? x[c] - largest - log_sum : exp(x[c] - largest) / sum;
}

extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
softmax_input_grad(const scalar* dy, const scalar* y, scalar* dx, int rows, int columns, int logarithm) {
  __shared__ scalar sums[WARPS_A_BLOCK];
  const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.y;
  if (row >= rows) return;
  dy += (size_t)row * columns;
  y += (size_t)row * columns;
  dx += (size_t)row * columns;
  scalar sum = 0;
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS) sum += logarithm ? dy[c] : dy[c] * y[c];
  sum = over_row(sum, sums, Sum());
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS)
    dx[c] = logarithm ? dy[c] - exp(y[c]) * sum : y[c] * (dy[c] - sum);
}
