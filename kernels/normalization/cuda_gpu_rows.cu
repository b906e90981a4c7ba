// Normalization of rows, x and y (rows, columns), where w and b belong to the columns:
//
//     m[i] = mean of x[i]        v[i] = mean of (x[i] - m[i])^2        r[i] = 1 / sqrt(v[i] + eps)
//     y[i, k]  = (x[i, k] - m[i]) * r[i] * w[k] + b[k]
//
//     dx[i, k] = r[i] * (g[i, k] - mean of g[i] - z[i, k] * mean of (g[i] * z[i]))        z = (x - m) * r,  g = dy * w
//     db[k]    = sum over i of dy[i, k]        dw[k] = sum over i of dy[i, k] * z[i, k]
//
// Thread mapping. y and dx: WARPS_A_ROW warps share a row, as in softmax (rows.cuh), neighbouring lanes on neighbouring
// columns. A row is read two or three times, but, as in softmax, mostly once from memory. So the mean is computed first
// and the squares around it second, which loses no digits. dw and db: a block of 32 x 8 threads takes 32 columns and a
// stretch of the rows, as in cuda_gpu.cu; a second kernel adds the stretches in a fixed order.
//
// Sums are in double precision, but their terms in that of x: most GPUs are 64 times faster in float than in double,
// and two operations in double for each number, a conversion and an addition, already take as long as reading it.
#include "rows.cuh"
#include "thread_rows.cuh"

// mean = high + low: x - high is rounded once, and then `low` corrects it. So a difference is almost as accurate as in
// double precision.
struct Mean {
  scalar high, low;
  __device__ __forceinline__ explicit Mean(double mean) : high((scalar)mean), low((scalar)(mean - high)) {}
  __device__ __forceinline__ scalar to(scalar x) const { return x - high - low; }
};

extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
row_forward(const scalar* __restrict__ x, const scalar* __restrict__ w, const scalar* __restrict__ b,
            scalar* __restrict__ y, scalar* m, scalar* v, int rows, int columns, double eps) {
  __shared__ double sums[WARPS_A_BLOCK];
  __shared__ double squares[WARPS_A_BLOCK];
  const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.y;
  if (row >= rows) return;  // whole warps only; if a row has several warps, none of them returns
  x += (size_t)row * columns;
  y += (size_t)row * columns;
  double sum = 0, square = 0;
  for (int k = threadIdx.x; k < columns; k += ROW_THREADS) sum += x[k];
  const Mean mean(over_row(sum, sums, Sum()) / columns);
  for (int k = threadIdx.x; k < columns; k += ROW_THREADS) {
    const double d = mean.to(x[k]);
    square += d * d;
  }
  const double variance = over_row(square, squares, Sum()) / columns;
  const scalar r = (scalar)(1 / sqrt(variance + eps));
  for (int k = threadIdx.x; k < columns; k += ROW_THREADS)
    y[k] = mean.to(x[k]) * r * (w ? w[k] : (scalar)1) + (b ? b[k] : (scalar)0);
  if (threadIdx.x > 0) return;
  m[row] = mean.high;
  v[row] = (scalar)variance;
}

// dx, and r (rows,) for the sums over columns
extern "C" __global__ void __launch_bounds__(WARPS_A_BLOCK * WARP)
row_input_grad(const scalar* __restrict__ dy, const scalar* __restrict__ x, const scalar* m, const scalar* v,
               const scalar* __restrict__ w, scalar* __restrict__ dx, scalar* r, int rows, int columns, double eps) {
  __shared__ double sums[WARPS_A_BLOCK];
  __shared__ double products[WARPS_A_BLOCK];
  const int row = blockIdx.x * ROWS_A_BLOCK + threadIdx.y;
  if (row >= rows) return;
  dy += (size_t)row * columns;
  x += (size_t)row * columns;
  dx += (size_t)row * columns;
  const double exact_r = 1 / sqrt(v[row] + eps);
  const scalar mean = m[row], own_r = (scalar)exact_r;
  double sum = 0, product = 0;
  for (int k = threadIdx.x; k < columns; k += ROW_THREADS) {
    const scalar g = dy[k] * (w ? w[k] : (scalar)1), z = (x[k] - mean) * own_r;
    sum += g;
    product += g * z;
  }
  const double mean_of_g = over_row(sum, sums, Sum()) / columns;
  const double mean_of_gz_r = over_row(product, products, Sum()) / columns * exact_r;
  for (int k = threadIdx.x; k < columns; k += ROW_THREADS) {  // in double precision: the three may be nearly 0 together
    const scalar g = dy[k] * (w ? w[k] : (scalar)1);
    dx[k] = (scalar)(g - mean_of_g - ((double)x[k] - mean) * mean_of_gz_r) * own_r;
  }
  if (threadIdx.x == 0) r[row] = own_r;
}

// parts (2, stretches, columns): the sums of dy * z and of dy
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
column_gradients(const scalar* dy, const scalar* x, const scalar* m, const scalar* r, double* parts, int rows,
                 int columns, int rows_per_part) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int column = blockIdx.x * WARP + threadIdx.x;
  const int first = blockIdx.y * rows_per_part, end = min(rows, first + rows_per_part);
  double product = 0, sum = 0;
  if (column < columns)
    for (int row = first + threadIdx.y; row < end; row += THREAD_ROWS) {
      const size_t e = (size_t)row * columns + column;
      product += dy[e] * ((x[e] - m[row]) * r[row]);
      sum += dy[e];
    }
  product = over_thread_rows(product, shared);
  sum = over_thread_rows(sum, shared);
  if (threadIdx.y > 0 || column >= columns) return;
  const size_t part = (size_t)blockIdx.y * columns + column, parts_size = (size_t)gridDim.y * columns;
  parts[part] = product;
  parts[parts_size + part] = sum;
}

// dw and db. Block (32, 1 to 8): a lane a column, and the rows of threads share the stretches.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
join_column_gradients(const double* parts, scalar* dw, scalar* db, int columns, int part_count) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int column = blockIdx.x * WARP + threadIdx.x;
  const double product = sum_of_parts(parts, columns, column, part_count, shared);
  const double sum = sum_of_parts(parts + (size_t)part_count * columns, columns, column, part_count, shared);
  if (threadIdx.y > 0 || column >= columns) return;
  dw[column] = (scalar)product;
  db[column] = (scalar)sum;
}
