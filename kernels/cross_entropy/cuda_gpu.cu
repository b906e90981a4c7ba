// Softmax and cross-entropy fused, for targets that are class numbers:
//
//     loss[n]  = weight[t] * (log(sum_k exp(x[n,k] - max)) - (x[n,t] - max))            t = target[n]
//     dx[n,c]  = dloss[n] * weight[t] * (exp(x[n,c] - max) / sum - (1 where c = t, else 0))
//
// Thread mapping: that of softmax (rows.cuh): one warp a row, or the block for a long row. Compared with softmax
// followed by a loss, the probabilities are never written: forward reads a row, from memory once, and writes one
// number; backward reads it again and writes the gradient.
//
// A target that is no class gives NaN: to raise, the host would have to wait for the GPU.
#include "rows.cuh"

// Maximum of a row, and the sum of exp(x - maximum).
__device__ __forceinline__ void scan_row(const scalar* x, int columns, scalar* maxima, scalar* sums, scalar& largest,
                                         scalar& sum) {
  largest = -infinity();
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS) largest = Maximum()(largest, x[c]);
  largest = over_row(largest, maxima, Maximum());
  sum = 0;
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS) sum += exp(x[c] - largest);
  sum = over_row(sum, sums, Sum());
}

__device__ __forceinline__ scalar not_a_number() { return infinity() - infinity(); }

// losses and kept_weights (rows,): weight[t], 0 for a row that is ignored
extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
cross_entropy_forward(const scalar* x, const long long* target, const scalar* weight, scalar* losses,
                      scalar* kept_weights, int rows, int columns, long long ignore_index) {
  __shared__ scalar maxima[WARPS_A_BLOCK];
  __shared__ scalar sums[WARPS_A_BLOCK];
  const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.y;
  if (row >= rows) return;  // whole warps only; if a row has several warps, none of them returns
  x += (size_t)row * columns;
  scalar largest, sum;
  scan_row(x, columns, maxima, sums, largest, sum);
  if (threadIdx.x != 0) return;
  const long long t = target[row];
  const bool kept = t != ignore_index, known = t >= 0 && t < columns;
  const scalar scale = !kept ? (scalar)0 : !known ? not_a_number() : weight ? weight[t] : (scalar)1;
  losses[row] = kept && known ? scale * (log(sum) - (x[t] - largest)) : scale;
  kept_weights[row] = scale;
}

// dlosses (rows,), or with the stride 0 one number for all rows
extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
cross_entropy_backward(const scalar* dlosses, const scalar* __restrict__ x, const long long* target,
                       const scalar* weight, scalar* __restrict__ dx, int rows, int columns, long long ignore_index,
                       int dlosses_stride) {
  __shared__ scalar maxima[WARPS_A_BLOCK];
  __shared__ scalar sums[WARPS_A_BLOCK];
  const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.y;
  if (row >= rows) return;
  x += (size_t)row * columns;
  dx += (size_t)row * columns;
  scalar largest, sum;
  scan_row(x, columns, maxima, sums, largest, sum);
  const long long t = target[row];
  const bool kept = t != ignore_index, known = t >= 0 && t < columns;
  const scalar share = 1 / sum;  // as in softmax: one division a row
  const scalar own_weight = !known ? not_a_number() : weight ? weight[t] : (scalar)1;
  const scalar scale = dlosses[(size_t)row * dlosses_stride] * own_weight;
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS)
    dx[c] = kept ? scale * (exp(x[c] - largest) * share - (c == t ? (scalar)1 : (scalar)0)) : (scalar)0;
}
