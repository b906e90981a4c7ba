// Normalization of channels, x and y (rows, channels) with the channels of a pixel side by side:
//
//     m[c] = mean of x[., c]        v[c] = mean of (x[., c] - m[c])^2        r[c] = 1 / sqrt(v[c] + eps)
//     y[., c]  = (x[., c] - m[c]) * r[c] * w[c] + b[c]
//
//     db[c]    = sum of dy[., c]    dw[c] = sum of dy[., c] * z[., c]        z = (x - m[c]) * r[c]
//     dx[., c] = r[c] * w[c] * (dy[., c] - db[c] / rows - z[., c] * dw[c] / rows)
//
// Thread mapping. The sums: a block of 32 x 8 threads takes 32 channels and a stretch of the rows; neighbouring lanes
// read neighbouring channels, the 8 rows of threads take every 8th row, and thread row 0 joins what the 8 have found. A
// second kernel joins the stretches of a channel, always in the same order, so the bits are the same every time. The
// results: the threads of the whole grid are a multiple of the channels, and a thread goes on in steps of the grid. So
// it stays in one channel, which it works out once: a division in 64 bits costs more than all else that is done to a
// number.
//
// The mean and the variance come from one pass over x, where two passes (first the mean, then the squares around it)
// read it twice. To lose no digits, a thread adds up x - s and (x - s)^2 in double precision, s being the first number
// that it sees, and two stretches are joined by
//
//     mean = mean_a + d * n_b / n      squares = squares_a + squares_b + d^2 * n_a * n_b / n      d = mean_b - mean_a
//
// Source: Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983, equations 1.4 to 1.5.
#include "common.cuh"

constexpr int ROWS = 8;  // of threads in a block of the sums
constexpr int BLOCK = 256;

struct Moments {
  double count, mean, squares;  // squares: the sum of (x - mean)^2
};

__device__ __forceinline__ Moments join(const Moments& a, const Moments& b) {
  const double count = a.count + b.count;
  if (count == 0) return a;
  const double d = b.mean - a.mean, share = b.count / count;
  return {count, a.mean + d * share, a.squares + b.squares + d * d * a.count * share};
}

// parts (2, stretches, channels): means and squares
extern "C" __global__ void __launch_bounds__(WARP * ROWS)
moments_of_columns(const scalar* x, double* parts, int rows, int channels, int rows_per_part) {
  __shared__ double means[ROWS][WARP];
  __shared__ double squares[ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const int first = blockIdx.y * rows_per_part, end = min(rows, first + rows_per_part);
  const int own = first + threadIdx.y;
  Moments moments = {0, 0, 0};
  if (channel < channels && own < end) {
    const double shift = x[(size_t)own * channels + channel];
    double sum = 0, sum_of_squares = 0;
    for (int row = own; row < end; row += ROWS) {
      const double value = x[(size_t)row * channels + channel] - shift;
      sum += value;
      sum_of_squares += value * value;
    }
    moments.count = (end - own + ROWS - 1) / ROWS;
    moments.mean = shift + sum / moments.count;
    moments.squares = sum_of_squares - sum * sum / moments.count;
  }
  means[threadIdx.y][threadIdx.x] = moments.mean;
  squares[threadIdx.y][threadIdx.x] = moments.squares;
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return;
  for (int i = 1; i < ROWS; i++) {
    const int count = first + i < end ? (end - first - i + ROWS - 1) / ROWS : 0;  // of rows that thread row i took
    moments = join(moments, {(double)count, means[i][threadIdx.x], squares[i][threadIdx.x]});
  }
  const size_t part = (size_t)blockIdx.y * channels + channel, parts_size = (size_t)gridDim.y * channels;
  parts[part] = moments.mean;
  parts[parts_size + part] = moments.squares;
}

// One thread a channel: m and v, and for the next kernel the mean and r in double precision, statistics (2, channels).
extern "C" __global__ void __launch_bounds__(BLOCK)
join_moments(const double* parts, double* statistics, scalar* m, scalar* v, int rows, int channels, int rows_per_part,
             int part_count, double eps) {
  const int channel = blockIdx.x * BLOCK + threadIdx.x;
  if (channel >= channels) return;
  Moments moments = {0, 0, 0};
  for (int i = 0; i < part_count; i++) {
    const size_t part = (size_t)i * channels + channel;
    const double count = min(rows_per_part, rows - i * rows_per_part);
    moments = join(moments, {count, parts[part], parts[(size_t)part_count * channels + part]});
  }
  const double variance = moments.squares / rows;
  m[channel] = (scalar)moments.mean;
  v[channel] = (scalar)variance;
  statistics[channel] = moments.mean;
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
extern "C" __global__ void __launch_bounds__(BLOCK)
normalize(const scalar* x, const double* statistics, const scalar* w, const scalar* b, scalar* y, long long size,
          int channels) {
  const int c = own_channel(channels);
  const double mean = statistics[c], r = statistics[channels + c];
  const scalar scale = w ? w[c] : (scalar)1, shift = b ? b[c] : (scalar)0;
  for_each_number(size, [=](long long e) {
    const scalar z = (scalar)((x[e] - mean) * r);
    y[e] = z * scale + shift;
  });
}

// parts (2, stretches, channels): the sums of dy and of dy * (x - m)
extern "C" __global__ void __launch_bounds__(WARP * ROWS)
gradients_of_columns(const scalar* dy, const scalar* x, const scalar* m, double* parts, int rows, int channels,
                     int rows_per_part) {
  __shared__ double sums[ROWS][WARP];
  __shared__ double products[ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const int first = blockIdx.y * rows_per_part, end = min(rows, first + rows_per_part);
  double sum = 0, product = 0;
  if (channel < channels) {
    const double mean = m[channel];
    for (int row = first + threadIdx.y; row < end; row += ROWS) {
      const size_t e = (size_t)row * channels + channel;
      sum += dy[e];
      product += dy[e] * (x[e] - mean);
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  products[threadIdx.y][threadIdx.x] = product;
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return;
  for (int i = 1; i < ROWS; i++) {
    sum += sums[i][threadIdx.x];
    product += products[i][threadIdx.x];
  }
  const size_t part = (size_t)blockIdx.y * channels + channel, parts_size = (size_t)gridDim.y * channels;
  parts[part] = sum;
  parts[parts_size + part] = product;
}

// One thread a channel: dw and db, and for the next kernel db / rows, dw / rows and r, statistics (3, channels).
extern "C" __global__ void __launch_bounds__(BLOCK)
join_gradients(const double* parts, const scalar* v, double* statistics, scalar* dw, scalar* db, int rows, int channels,
               int part_count, double eps) {
  const int channel = blockIdx.x * BLOCK + threadIdx.x;
  if (channel >= channels) return;
  double sum = 0, product = 0;
  for (int i = 0; i < part_count; i++) {
    const size_t part = (size_t)i * channels + channel;
    sum += parts[part];
    product += parts[(size_t)part_count * channels + part];
  }
  const double r = 1 / sqrt(v[channel] + eps);
  dw[channel] = (scalar)(product * r);
  db[channel] = (scalar)sum;
  statistics[channel] = sum / rows;
  statistics[channels + channel] = product * r / rows;
  statistics[2 * channels + channel] = r;
}

// dx = r * w * (dy - db / rows - z * dw / rows)
extern "C" __global__ void __launch_bounds__(BLOCK)
normalize_gradient(const scalar* dy, const scalar* x, const scalar* m, const double* statistics, const scalar* w,
                   scalar* dx, long long size, int channels) {
  const int c = own_channel(channels);
  const double mean = m[c], r = statistics[2 * channels + c];
  const double mean_dy = statistics[c], mean_dy_z = statistics[channels + c];
  const scalar scale = w ? w[c] : (scalar)1;
  for_each_number(size, [=](long long e) {
    const double z = (x[e] - mean) * r;
    dx[e] = (scalar)((dy[e] - mean_dy - z * mean_dy_z) * r) * scale;
  });
}
