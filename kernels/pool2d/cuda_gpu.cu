// Pooling of images (N, H, W, C) in memory. The window of output pixel (i, j) has taps (r, s), and tap (r, s) lies at
// input pixel (i*stride + r*dilation - padding, j*stride + s*dilation - padding).
//
// Thread mapping, in all of them: one thread computes one element of the result, and neighbouring threads take
// neighbouring channels of one pixel, so that a warp reads and writes whole sectors of memory. In max_forward a thread
// takes a vector of channels where it can: it waits for each tap before it reads the next, and with 4 bytes at a time
// most of the memory's bandwidth would lie idle. In the two gradients, each input pixel gathers from the windows that
// contain it, in a fixed order. Scattering dy instead would need atomic additions where windows overlap, in an order
// that changes from run to run.
//
// Elements are counted in 32 bits, where a division costs a quarter of one in 64 bits; the host cuts a larger batch
// into pieces.
#include "common.cuh"

#ifndef position
#define position unsigned char  // of a tap in its window, r * kernel_width + s; int for windows of more than 256 taps
#endif

#ifndef CHANNELS_A_THREAD
#define CHANNELS_A_THREAD 1  // of max_forward: as many as a vector has, or one
#endif

// Element e of an array (N, H, W, C) as (n, y, x, c).
struct Element {
  int n, y, x, c;
  __device__ __forceinline__ Element(int e, int height, int width, int channels) {
    c = e % channels;
    e /= channels;
    x = e % width;
    e /= width;
    y = e % height;
    n = e / height;
  }
};

__device__ __forceinline__ size_t offset(int n, int y, int x, int c, int height, int width, int channels) {
  return (((size_t)n * height + y) * width + x) * channels + c;
}

using Channels = Numbers<CHANNELS_A_THREAD>;

// y = max over the taps inside x; taps = r * kernel_width + s of the first maximum. NaN counts as the largest value.
extern "C" __global__ void max_forward(const scalar* x, scalar* y, position* taps, int elements, int channels,
                                       int height, int width, int out_height, int out_width, int kernel_height,
                                       int kernel_width, int stride_y, int stride_x, int padding_y, int padding_x,
                                       int dilation_y, int dilation_x) {
  const int e = (blockIdx.x * blockDim.x + threadIdx.x) * CHANNELS_A_THREAD;
  if (e >= elements) return;
  const Element out(e, out_height, out_width, channels);  // its first channel
  Channels best;
  int best_tap[CHANNELS_A_THREAD];
#pragma unroll
  for (int i = 0; i < CHANNELS_A_THREAD; i++) best.value[i] = -infinity(), best_tap[i] = -1;
  for (int r = 0; r < kernel_height; r++) {
    const int p = out.y * stride_y + r * dilation_y - padding_y;
    if (p < 0 || p >= height) continue;
    for (int s = 0; s < kernel_width; s++) {
      const int q = out.x * stride_x + s * dilation_x - padding_x;
      if (q < 0 || q >= width) continue;
      const Channels values = *(const Channels*)(x + offset(out.n, p, q, out.c, height, width, channels));
#pragma unroll
      for (int i = 0; i < CHANNELS_A_THREAD; i++) {
        const scalar value = values.value[i];
        if (best_tap[i] < 0 || value > best.value[i] || (value != value && best.value[i] == best.value[i])) {
          best.value[i] = value;
          best_tap[i] = r * kernel_width + s;
        }
      }
    }
  }
  Numbers<CHANNELS_A_THREAD, position> chosen;
#pragma unroll
  for (int i = 0; i < CHANNELS_A_THREAD; i++)
    chosen.value[i] = (position)max(best_tap[i], 0);  // a window without pixels inside x gets tap 0
  *(Channels*)(y + e) = best;
  *(Numbers<CHANNELS_A_THREAD, position>*)(taps + e) = chosen;
}

// dx[n,p,q,c] = sum of dy[n,i,j,c] over the windows (i, j) whose maximum was at (p, q)
extern "C" __global__ void max_scatter(const scalar* dy, const position* taps, scalar* dx, int elements,
                                       int channels, int height, int width, int out_height, int out_width,
                                       int kernel_height, int kernel_width, int stride_y, int stride_x, int padding_y,
                                       int padding_x, int dilation_y, int dilation_x) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const Element in(e, height, width, channels);
  scalar sum = 0;
  for (int r = 0; r < kernel_height; r++) {
    const int y = in.y + padding_y - r * dilation_y, i = y / stride_y;  // the window that has this pixel as its tap r
    if (y < 0 || y % stride_y || i >= out_height) continue;
    for (int s = 0; s < kernel_width; s++) {
      const int x = in.x + padding_x - s * dilation_x, j = x / stride_x;
      if (x < 0 || x % stride_x || j >= out_width) continue;
      const size_t window = offset(in.n, i, j, in.c, out_height, out_width, channels);
      const scalar gradient = dy[window];  // before the test, so that both reads are under way at once
      if (taps[window] == r * kernel_width + s) sum += gradient;
    }
  }
  dx[e] = sum;
}

// y[n,i,j,c] = x at the tap taps[n,i,j,c]; 0 where that lies in the padding
extern "C" __global__ void max_gather(const scalar* x, const position* taps, scalar* y, int elements, int channels,
                                      int height, int width, int out_height, int out_width, int kernel_width,
                                      int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y,
                                      int dilation_x) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const Element out(e, out_height, out_width, channels);
  const int r = taps[e] / kernel_width, s = taps[e] % kernel_width;
  const int p = out.y * stride_y + r * dilation_y - padding_y, q = out.x * stride_x + s * dilation_x - padding_x;
  const bool inside = p >= 0 && p < height && q >= 0 && q < width;
  y[e] = inside ? x[offset(out.n, p, q, out.c, height, width, channels)] : (scalar)0;
}

// How many pixels a window counts along one axis: those inside x, and with count_padding those in the padding too.
__device__ __forceinline__ int counted(int window, int kernel_size, int stride, int padding, int size,
                                       int count_padding) {
  const int first = window * stride - padding, end = min(first + kernel_size, size + padding);
  return count_padding ? end - first : min(end, size) - max(first, 0);
}

// y[n,i,j,c] = sum of the taps inside x / (pixels counted along both axes)
extern "C" __global__ void avg_forward(const scalar* x, scalar* y, int elements, int channels, int height, int width,
                                       int out_height, int out_width, int kernel_height, int kernel_width, int stride_y,
                                       int stride_x, int padding_y, int padding_x, int count_padding) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const Element out(e, out_height, out_width, channels);
  const int first_p = out.y * stride_y - padding_y, first_q = out.x * stride_x - padding_x;
  scalar sum = 0;
  for (int p = max(first_p, 0); p < min(first_p + kernel_height, height); p++)
    for (int q = max(first_q, 0); q < min(first_q + kernel_width, width); q++)
      sum += x[offset(out.n, p, q, out.c, height, width, channels)];
  y[e] = sum / (scalar)(counted(out.y, kernel_height, stride_y, padding_y, height, count_padding) *
                        counted(out.x, kernel_width, stride_x, padding_x, width, count_padding));
}

// dx[n,p,q,c] = sum over the windows (i, j) that contain (p, q) of dy[n,i,j,c] / (pixels counted)
extern "C" __global__ void avg_input_grad(const scalar* dy, scalar* dx, int elements, int channels, int height,
                                          int width, int out_height, int out_width, int kernel_height, int kernel_width,
                                          int stride_y, int stride_x, int padding_y, int padding_x, int count_padding) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const Element in(e, height, width, channels);
  scalar sum = 0;
  for (int r = 0; r < kernel_height; r++) {
    const int y = in.y + padding_y - r, i = y / stride_y;
    if (y < 0 || y % stride_y || i >= out_height) continue;
    for (int s = 0; s < kernel_width; s++) {
      const int x = in.x + padding_x - s, j = x / stride_x;
      if (x < 0 || x % stride_x || j >= out_width) continue;
      sum += dy[offset(in.n, i, j, in.c, out_height, out_width, channels)] /
             (scalar)(counted(i, kernel_height, stride_y, padding_y, height, count_padding) *
                      counted(j, kernel_width, stride_x, padding_x, width, count_padding));
    }
  }
  dx[e] = sum;
}
