// Depthwise convolution: group g has one input channel, g, and k output channels, o = g*k ... g*k + k-1.
//
//     forward      y[n,i,j,o]  = b[o] + sum over r,s of
//                                x[n, i*stride + r*dilation - padding, j*stride + ..., o/k] * w[r,s,o]
//     input_grad   dx[n,p,q,g] = sum over r,s and the o of g of
//                                dy[n, (p + padding - r*dilation) / stride, ..., o] * w[r,s,o]
//     weight_grad  dw[r,s,o]   = sum over n,i,j of
//                                x[n, i*stride + r*dilation - padding, j*stride + ..., o/k] * dy[n,i,j,o]
//
// Why not the implicit GEMM of cuda_gpu.cu: there each group is a product of its own with k columns, in a tile of 32 or
// more. With k = 1, at least 31 of 32 multiplications would be with zeros, and lanes would read pixels that are
// `groups` numbers apart. Here threads share nothing: each number of x is used R * S times at most, out of the caches.
// In all three kernels, neighbouring lanes take neighbouring channels.
//
// Thread mapping of forward and input_grad: one thread per result. Results are counted in 32 bits, where a division
// costs a quarter of one in 64 bits; the host cuts a larger batch into pieces.
//
// Thread mapping of weight_grad, whose few results are long sums: a block of 32 x 8 threads takes 32 channels, up to
// TAPS neighbouring taps of one row of the kernel, and a part of the pixels of y. The part is cut into pieces of at
// most 64 pixels of one row. A thread takes every 8th piece: it reads each dy once for all its taps, sums the piece in
// `scalar`, which loses little over so few numbers, and adds the pieces in double precision, which on most GPUs is too
// slow for every product. A second kernel adds the parts in a fixed order, so that every run gives the same bits.
//
// Images are (N, H, W, channels) in memory, the weights (R, S, channels), their gradient (channels, 1, R, S).
#include "common.cuh"
#include "thread_rows.cuh"

#ifndef TAPS
#define TAPS 3  // taps of a kernel row that a thread of weight_grad computes
#endif
constexpr int BLOCK = WARP * THREAD_ROWS;

// Finds the output position whose tap reads this input position; false if there is none.
__device__ __forceinline__ bool reach(int position, int tap, int stride, int padding, int dilation, int size,
                                      int& out) {
  const int shifted = position + padding - tap * dilation;
  out = shifted / stride;
  return shifted >= 0 && shifted == out * stride && out < size;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
depthwise_forward(const scalar* x, const scalar* w, const scalar* b, scalar* y, int elements, int groups, int height,
                  int width, int multiplier, int out_height, int out_width, int kernel_height, int kernel_width,
                  int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x) {
  const int e = blockIdx.x * BLOCK + threadIdx.x;
  if (e >= elements) return;
  const int out_channels = groups * multiplier;
  const int o = e % out_channels, pixel = e / out_channels;
  const int j = pixel % out_width, i = pixel / out_width % out_height, n = pixel / out_width / out_height;
  const scalar* const image = x + (long long)n * height * width * groups + o / multiplier;
  scalar sum = b ? b[o] : (scalar)0;
  for (int r = 0; r < kernel_height; r++) {
    const int row = i * stride_y + r * dilation_y - padding_y;
    if (row < 0 || row >= height) continue;
    for (int s = 0; s < kernel_width; s++) {
      const int column = j * stride_x + s * dilation_x - padding_x;
      if (column < 0 || column >= width) continue;
      sum += image[((long long)row * width + column) * groups] * w[(r * kernel_width + s) * out_channels + o];
    }
  }
  y[e] = sum;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
depthwise_input_grad(const scalar* dy, const scalar* w, scalar* dx, int elements, int groups, int height, int width,
                     int multiplier, int out_height, int out_width, int kernel_height, int kernel_width, int stride_y,
                     int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x) {
  const int e = blockIdx.x * BLOCK + threadIdx.x;
  if (e >= elements) return;
  const int out_channels = groups * multiplier;
  const int g = e % groups, pixel = e / groups;
  const int q = pixel % width, p = pixel / width % height, n = pixel / width / height;
  const scalar* const image = dy + (long long)n * out_height * out_width * out_channels;
  scalar sum = 0;
  for (int r = 0; r < kernel_height; r++) {
    int i, j;
    if (!reach(p, r, stride_y, padding_y, dilation_y, out_height, i)) continue;
    for (int s = 0; s < kernel_width; s++) {
      if (!reach(q, s, stride_x, padding_x, dilation_x, out_width, j)) continue;
      for (int o = g * multiplier; o < (g + 1) * multiplier; o++)
        sum += image[((long long)i * out_width + j) * out_channels + o] * w[(r * kernel_width + s) * out_channels + o];
    }
  }
  dx[e] = sum;
}

// parts (part, R, S, groups*k); there are `pieces` pieces of piece_width pixels, pieces_a_row in each row of y
extern "C" __global__ void __launch_bounds__(BLOCK)
depthwise_weight_grad(const scalar* x, const scalar* dy, double* parts, int pieces, int pieces_per_part,
                      int pieces_a_row, int piece_width, int groups, int height, int width, int multiplier,
                      int out_height, int out_width, int kernel_height, int kernel_width, int stride_y, int stride_x,
                      int padding_y, int padding_x, int dilation_y, int dilation_x) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int out_channels = groups * multiplier, blocks_of_channels = (out_channels + WARP - 1) / WARP;
  const int o = blockIdx.x % blocks_of_channels * WARP + threadIdx.x, tap_block = blockIdx.x / blocks_of_channels;
  const int tap_blocks_a_row = (kernel_width + TAPS - 1) / TAPS;
  const int r = tap_block / tap_blocks_a_row, first_s = tap_block % tap_blocks_a_row * TAPS;
  const int first = blockIdx.y * pieces_per_part, end = min(pieces, first + pieces_per_part);
  double totals[TAPS] = {};
  if (o < out_channels)
    for (int piece = first + threadIdx.y; piece < end; piece += THREAD_ROWS) {
      const int ni = piece / pieces_a_row, first_j = piece % pieces_a_row * piece_width;
      const int n = ni / out_height, i = ni % out_height;
      const int row = i * stride_y + r * dilation_y - padding_y;
      if (row < 0 || row >= height) continue;
      const scalar* const x_row = x + ((long long)n * height + row) * width * groups + o / multiplier;
      const scalar* const dy_row = dy + (long long)ni * out_width * out_channels + o;
      scalar sums[TAPS] = {};
      for (int j = first_j; j < min(first_j + piece_width, out_width); j++) {
        const scalar d = dy_row[j * out_channels];
#pragma unroll
        for (int s = 0; s < TAPS; s++) {
          const int column = j * stride_x + (first_s + s) * dilation_x - padding_x;
          if (column >= 0 && column < width) sums[s] += x_row[column * groups] * d;
        }
      }
#pragma unroll
      for (int s = 0; s < TAPS; s++) totals[s] += sums[s];
    }
#pragma unroll
  for (int s = 0; s < TAPS; s++) {
    const double total = over_thread_rows(totals[s], shared);
    if (threadIdx.y > 0 || o >= out_channels || first_s + s >= kernel_width) continue;
    const int rs = r * kernel_width + first_s + s;
    parts[((size_t)blockIdx.y * kernel_height * kernel_width + rs) * out_channels + o] = total;
  }
}

// dw[o][rs] = sum over parts of parts[part][rs][o]. Block (32, 1 to 8): lane x is a number, in the order of parts; the
// thread rows y share the parts.
extern "C" __global__ void __launch_bounds__(BLOCK)
depthwise_add_weight_parts(const double* parts, scalar* dw, int taps, int out_channels, int part_count) {
  __shared__ double shared[THREAD_ROWS][WARP];
  const int e = blockIdx.x * WARP + threadIdx.x, elements = taps * out_channels;
  const double sum = sum_of_parts(parts, elements, e, part_count, shared);
  if (threadIdx.y == 0 && e < elements) dw[(size_t)(e % out_channels) * taps + e / out_channels] = (scalar)sum;
}
