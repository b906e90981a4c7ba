// Softmax over rows, its logarithm, and their gradients. With max and sums over one row:
//
//     softmax_forward     y[c]  = exp(x[c] - max) / sum_k exp(x[k] - max)       or its logarithm
//     softmax_input_grad  dx[c] = y[c] * (dy[c] - sum_k dy[k] * y[k])           or, from the logarithm y,
//                         dx[c] = dy[c] - exp(y[c]) * sum_k dy[k]
//
// Thread mapping: WARPS_A_ROW warps share a row (rows.cuh): one for a short row, the whole block for a long one. With
// one thread per row, neighbouring threads would read numbers a whole row apart, and a long row would take long. A row
// is read two or three times, but from memory only once, as long as the second-level cache holds the rows that run at
// once: those of 132 multiprocessors up to some 10,000 columns.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
softmax_forward(const scalar* __restrict__ x, scalar* __restrict__ y, int rows, int columns, int logarithm) {
  __shared__ scalar maxima[WARPS_A_BLOCK];
  __shared__ scalar sums[WARPS_A_BLOCK];
  const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.y;
  if (row >= rows) return;  // whole warps only; if a row has several warps, none of them returns
  x += (size_t)row * columns;
  y += (size_t)row * columns;
  scalar largest = -infinity();
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS) largest = Maximum()(largest, x[c]);
  largest = over_row(largest, maxima, Maximum());
  scalar sum = 0;
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS) sum += exp(x[c] - largest);
  sum = over_row(sum, sums, Sum());
  const scalar log_sum = log(sum), share = 1 / sum;  // one division a row: each takes longer than exp
  for (int c = threadIdx.x; c < columns; c += ROW_THREADS)
    y[c] = logarithm ? x[c] - largest - log_sum : exp(x[c] - largest) * share;
}

extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
softmax_input_grad(const scalar* __restrict__ dy, const scalar* __restrict__ y, scalar* __restrict__ dx, int rows,
                   int columns, int logarithm) {
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
