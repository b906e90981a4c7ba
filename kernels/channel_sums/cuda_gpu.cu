// Sums over everything but the channels, s[c] = sum of x (or of x * y), added up in double precision.
//
// Two passes, so that many blocks can share one channel and the result is still the same bits every time: the first
// writes a sum for each (part, channel), parts being stretches of what is summed over; the second adds the parts,
// always in the same order. Few numbers are one part: the first pass writes s, and there is no second. Memory is all
// that counts here: each number is read once, neighbouring threads read neighbouring numbers.
#include "common.cuh"
#include "thread_rows.cuh"

constexpr int BLOCK = 256;  // of sums_of_planes

// The sum of this block's part of a channel: in `parts`, which is null where there is one part, then in s.
__device__ __forceinline__ void store_sum(double sum, double* parts, scalar* s, int channels, int channel) {
  if (parts) parts[(size_t)blockIdx.y * channels + channel] = sum;
  else s[channel] = (scalar)sum;
}

// Channels last in memory, x (rows, channels). Block (32, 8): lane x takes channel 32 * blockIdx.x + x, and the 8 rows
// of threads take every 8th row of part blockIdx.y.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
sums_of_columns(const scalar* x, const scalar* y, double* parts, scalar* s, int rows, int channels,
                int rows_per_part) {
  __shared__ double sums[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const int first = blockIdx.y * rows_per_part, end = min(rows, first + rows_per_part);
  double sum = 0;
  if (channel < channels) {
    for (int row = first + threadIdx.y; row < end; row += THREAD_ROWS) {
      const size_t e = (size_t)row * channels + channel;
      sum += y ? (double)x[e] * y[e] : (double)x[e];
    }
  }
  sum = over_thread_rows(sum, sums);
  if (threadIdx.y == 0 && channel < channels) store_sum(sum, parts, s, channels, channel);
}

// Channels first, x (images, channels, pixels). Block (256): all threads share part blockIdx.y of channel blockIdx.x, a
// stretch of its count = images * pixels numbers; each warp adds with shuffles, then warp 0 adds the warps.
extern "C" __global__ void __launch_bounds__(BLOCK)
sums_of_planes(const scalar* x, const scalar* y, double* parts, scalar* s, int count, int channels, int pixels,
               int per_part) {
  __shared__ double sums[BLOCK / WARP];
  const int channel = blockIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const int first = blockIdx.y * per_part, end = min(count, first + per_part);
  double sum = 0;
  for (int i = first + threadIdx.x; i < end; i += BLOCK) {
    const size_t e = ((size_t)(i / pixels) * channels + channel) * pixels + i % pixels;
    sum += y ? (double)x[e] * y[e] : (double)x[e];
  }
  sum = warp_sum(sum);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    sum = warp_sum(lane < BLOCK / WARP ? sums[lane] : 0.0);
    if (lane == 0) store_sum(sum, parts, s, channels, channel);
  }
}

// s[c] = sum of parts[part][c]. Block (32, 1 to 8): a lane a channel, and the rows of threads share the parts.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
add_channel_parts(const double* parts, scalar* s, int channels, int part_count) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const double sum = sum_of_parts(parts, channels, channel, part_count, shared);
  if (threadIdx.y == 0 && channel < channels) s[channel] = (scalar)sum;
}
