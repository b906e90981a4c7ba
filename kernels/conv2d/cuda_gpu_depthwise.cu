// Depthwise convolution: every group has one input channel g, and k output channels o = g*k ... g*k + k-1.
//
//     forward      y[n,i,j,o]  = b[o] + sum over r,s of
//                                x[n, i*stride + r*dilation - padding, j*stride + ..., o/k] * w[r,s,o]
//     input_grad   dx[n,p,q,g] = sum over o of g, r,s of dy[n, (p + padding - r*dilation) / stride, ..., o] * w[r,s,o]
//
// Thread mapping: one thread a result, channels fastest, so that neighbouring lanes read neighbouring channels of one
// pixel and neighbouring weights. What this changes on the implicit GEMM of cuda_gpu.cu: there a group is a product of
// its own with k columns, in a tile of 32 or more: with k = 1, at least 31 of 32 multiplications are with zeros, and a
// block's lanes read pixels that are `groups` numbers apart. There is nothing to share between threads here, each
// number of x is used R * S times at most, which the caches serve.
//
// Images are (N, H, W, channels) in memory, the weights (R, S, channels).
#include "common.cuh"

constexpr int BLOCK = 256;

// The output whose tap reads this position of the input: false where there is none.
__device__ __forceinline__ bool reach(int position, int tap, int stride, int padding, int dilation, int size,
                                      int& out) {
  const int shifted = position + padding - tap * dilation;
  out = shifted / stride;
  return shifted >= 0 && shifted == out * stride && out < size;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
depthwise_forward(const scalar* x, const scalar* w, const scalar* b, scalar* y, long long size, int groups, int height,
                  int width, int multiplier, int out_height, int out_width, int kernel_height, int kernel_width,
                  int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x) {
  const long long e = (long long)blockIdx.x * BLOCK + threadIdx.x;
  if (e >= size) return;
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
depthwise_input_grad(const scalar* dy, const scalar* w, scalar* dx, long long size, int groups, int height, int width,
                     int multiplier, int out_height, int out_width, int kernel_height, int kernel_width, int stride_y,
                     int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x) {
  const long long e = (long long)blockIdx.x * BLOCK + threadIdx.x;
  if (e >= size) return;
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
