// Normalization of channels, x and y (rows, channels), channels last in memory:
//
//     m[c] = mean of x[., c]        v[c] = mean of (x[., c] - m[c])^2        r[c] = 1 / sqrt(v[c] + eps)
//     y[., c]  = (x[., c] - m[c]) * r[c] * w[c] + b[c]
//
//     db[c]    = sum of dy[., c]    dw[c] = sum of dy[., c] * z[., c]        z = (x - m[c]) * r[c]
//     dx[., c] = r[c] * w[c] * (dy[., c] - db[c] / rows - z[., c] * dw[c] / rows)
//
// Thread mapping. The sums: a block of 32 x 8 threads takes 32 channels and a stretch of the rows; neighbouring lanes
// read neighbouring channels, and thread row y takes every 8th row. A second kernel combines the stretches in a fixed
// order, so that every run gives the same bits. The results: the number of threads in the grid is a multiple of the
// channels, and a thread steps by that number. So it stays in one channel, which it computes once: a 64-bit division
// costs more than all other work on a number.
//
// Mean and variance take one pass over x; with two passes (first the mean, then the squares around it), x would be read
// twice. To lose no digits, a thread sums x - shift and its square in double precision, where shift is the first number
// it reads, and stretches are combined by
//
//     mean = sum of n_i * mean_i / n       squares = sum of (squares_i + n_i * (mean_i - mean)^2)       n = sum of n_i
//
// Source: Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983, equations 1.4 to 1.5 for more
// than two stretches.
#include "common.cuh"
#include "thread_rows.cuh"

constexpr int BLOCK = 256;         // threads that normalize
constexpr int FULL_OF_BLOCKS = 8;  // blocks that a multiprocessor is to hold at once: at most 32 registers a thread

// parts (2, stretches, channels): means and squares
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
moments_of_columns(const scalar* x, double* parts, int rows, int channels, int rows_per_part) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const int first = blockIdx.y * rows_per_part, end = min(rows, first + rows_per_part);
  const int own = first + threadIdx.y;
  double count = 0, own_mean = 0, own_squares = 0;  // squares: the sum of (x - mean)^2
  if (channel < channels && own < end) {
    const double shift = x[(size_t)own * channels + channel];
    double sum = 0, sum_of_squares = 0;
#pragma unroll 8  // 8 reads in flight at once
    for (int row = own; row < end; row += THREAD_ROWS) {
      const double value = x[(size_t)row * channels + channel] - shift;
      sum += value;
      sum_of_squares += value * value;
    }
    count = (end - own + THREAD_ROWS - 1) / THREAD_ROWS;
    own_mean = shift + sum / count;
    own_squares = sum_of_squares - sum * sum / count;
  }
  const double mean = over_thread_rows(count * own_mean, shared) / (end - first), d = own_mean - mean;
  const double squares = over_thread_rows(own_squares + count * d * d, shared);
  if (threadIdx.y > 0 || channel >= channels) return;
  const size_t part = (size_t)blockIdx.y * channels + channel, parts_size = (size_t)gridDim.y * channels;
  parts[part] = mean;
  parts[parts_size + part] = squares;
}

// m and v, and for the next kernel the mean and r in double precision, statistics (2, channels). A lane a channel.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
join_moments(const double* parts, double* statistics, scalar* m, scalar* v, int rows, int channels, int rows_per_part,
             int part_count, double eps) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const double* const squares = parts + (size_t)part_count * channels;
  const auto sum_over_parts = [&](auto term) {  // of term(n_i, where part i has this channel)
    double sum = 0;
    if (channel < channels) {
#pragma unroll 4
      for (int i = threadIdx.y; i < part_count; i += blockDim.y)
        sum += term((double)min(rows_per_part, rows - i * rows_per_part), (size_t)i * channels + channel);
    }
    return over_thread_rows(sum, shared);
  };
  const double mean = sum_over_parts([&](double n, size_t part) { return n * parts[part]; }) / rows;
  const double variance = sum_over_parts([&](double n, size_t part) {
    const double d = parts[part] - mean;
    return squares[part] + n * d * d;
  }) / rows;
  if (threadIdx.y > 0 || channel >= channels) return;
  m[channel] = (scalar)mean;
  v[channel] = (scalar)variance;
  statistics[channel] = mean;
  statistics[channels + channel] = 1 / sqrt(variance + eps);
}

// Calls step(e) for every number e that is this thread's; all are in the channel of the first one.
template <class Step>
__device__ __forceinline__ void for_each_number(long long size, Step step) {
  for (long long e = (long long)blockIdx.x * BLOCK + threadIdx.x; e < size; e += (long long)gridDim.x * BLOCK) step(e);
}
__device__ __forceinline__ int own_channel(int channels) {
  return (int)(((long long)blockIdx.x * BLOCK + threadIdx.x) % channels);
}

// y = (x - m) * r * w + b
// __restrict__ promises that y overlaps no input. Else the compiler must write each y before it reads the next x: the
// four turns of the unrolled loop would wait for memory four times, instead of once.
extern "C" __global__ void __launch_bounds__(BLOCK, FULL_OF_BLOCKS)
normalize(const scalar* __restrict__ x, const double* statistics, const scalar* w, const scalar* b,
          scalar* __restrict__ y, long long size, int channels) {
  const int c = own_channel(channels);
  const double mean = statistics[c], r = statistics[channels + c];
  const scalar scale = w ? w[c] : (scalar)1, shift = b ? b[c] : (scalar)0;
  for_each_number(size, [=](long long e) {
    const scalar z = (scalar)((x[e] - mean) * r);
    y[e] = z * scale + shift;
  });
}

// parts (2, stretches, channels): the sums of dy and of dy * (x - m)
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
gradients_of_columns(const scalar* dy, const scalar* x, const scalar* m, double* parts, int rows, int channels,
                     int rows_per_part) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const int first = blockIdx.y * rows_per_part, end = min(rows, first + rows_per_part);
  double sum = 0, product = 0;
  if (channel < channels) {
    const double mean = m[channel];
    for (int row = first + threadIdx.y; row < end; row += THREAD_ROWS) {
      const size_t e = (size_t)row * channels + channel;
      sum += dy[e];
      product += dy[e] * (x[e] - mean);
    }
  }
  sum = over_thread_rows(sum, shared);
  product = over_thread_rows(product, shared);
  if (threadIdx.y > 0 || channel >= channels) return;
  const size_t part = (size_t)blockIdx.y * channels + channel, parts_size = (size_t)gridDim.y * channels;
  parts[part] = sum;
  parts[parts_size + part] = product;
}

// dw and db, and for the next kernel db / rows, dw / rows and r, statistics (3, channels). A lane a channel.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
join_gradients(const double* parts, const scalar* v, double* statistics, scalar* dw, scalar* db, int rows, int channels,
               int part_count, double eps) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const double sum = sum_of_parts(parts, channels, channel, part_count, shared);
  const double product = sum_of_parts(parts + (size_t)part_count * channels, channels, channel, part_count, shared);
  if (threadIdx.y > 0 || channel >= channels) return;
  const double r = 1 / sqrt(v[channel] + eps), share = 1.0 / rows;
  dw[channel] = (scalar)(product * r);
  db[channel] = (scalar)sum;
  statistics[channel] = sum * share;
  statistics[channels + channel] = product * r * share;
  statistics[2 * channels + channel] = r;
}

// dx = r * w * (dy - db / rows - z * dw / rows)
extern "C" __global__ void __launch_bounds__(BLOCK, FULL_OF_BLOCKS)
normalize_gradient(const scalar* __restrict__ dy, const scalar* __restrict__ x, const scalar* m,
                   const double* statistics, const scalar* w, scalar* __restrict__ dx, long long size, int channels) {
  const int c = own_channel(channels);
  const double mean = m[c], r = statistics[2 * channels + c];
  const double mean_dy = statistics[c], mean_dy_z = statistics[channels + c];
  const scalar scale = w ? w[c] : (scalar)1;
  for_each_number(size, [=](long long e) {
    const double z = (x[e] - mean) * r;
    dx[e] = (scalar)((dy[e] - mean_dy - z * mean_dy_z) * r) * scale;
  });
}
