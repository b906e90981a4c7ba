// Sums over all axes but the channels, s[c] = sum of x (or of x * y), accumulated in double precision.
//
// Two passes, so that many blocks can share a channel and every run still gives the same bits: what is summed over is
// cut into parts; the first pass writes a sum for each (part, channel), the second adds the parts in a fixed order.
// With few numbers there is one part: the first pass writes s, and there is no second. The kernels are bound by memory:
// each number is read once, and neighbouring threads read neighbouring numbers.
#include "common.cuh"
#include "thread_rows.cuh"

constexpr int BLOCK = 256;  // of sums_of_planes

// Stores the sum of this block's part of a channel: in `parts`, or in s if there is one part and `parts` is null.
__device__ __forceinline__ void store_sum(double sum, double* parts, scalar* s, int channels, int channel) {
  if (parts) parts[(size_t)blockIdx.y * channels + channel] = sum;
  else s[channel] = (scalar)sum;
}

// Channels last in memory, x (rows, channels). Block (32, 8): lane x takes channel 32 * blockIdx.x + x, and thread row
// y every 8th row of part blockIdx.y.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
sums_of_columns(const scalar* x, const scalar* y, double* parts, scalar* s, int rows, int channels,
                int rows_per_part) {
  __shared__ double sums[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const int first = blockIdx.y * rows_per_part, end = min(rows, first + rows_per_part);
  double sum = 0;
  if (channel < channels) {
#pragma unroll 8  // 8 reads in flight at once
    for (int row = first + threadIdx.y; row < end; row += THREAD_ROWS) {
      const size_t e = (size_t)row * channels + channel;
      sum += y ? (double)x[e] * y[e] : (double)x[e];
    }
  }
  sum = over_thread_rows(sum, sums);
  if (threadIdx.y == 0 && channel < channels) store_sum(sum, parts, s, channels, channel);
}

// Channels first, x (images, channels, pixels). Block (256): the threads share part blockIdx.y of the count = images *
// pixels numbers of channel blockIdx.x; each warp adds with shuffles, then warp 0 adds the sums of the warps.
extern "C" __global__ void __launch_bounds__(BLOCK)
sums_of_planes(const scalar* x, const scalar* y, double* parts, scalar* s, int count, int channels, int pixels,
               int per_part) {
  __shared__ double sums[BLOCK / WARP];
  const int channel = blockIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const int first = blockIdx.y * per_part, end = min(count, first + per_part);
  double sum = 0;
#pragma unroll 8
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

// s[c] = sum of parts[part][c]. Block (32, 1 to 8): lane x is a channel; the thread rows y share the parts.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
add_channel_parts(const double* parts, scalar* s, int channels, int part_count) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int channel = blockIdx.x * WARP + threadIdx.x;
  const double sum = sum_of_parts(parts, channels, channel, part_count, shared);
  if (threadIdx.y == 0 && channel < channels) s[channel] = (scalar)sum;
}
