// ReLU and max pooling in one pass over z, the output of a convolution, and their gradients in one pass over dz.
//
//     y[n,i,j,k] = max(0, max over taps (u, v) of z[n, i*ph + u, j*pw + v, k])     taps: u*pw + v, or ph*pw for y = 0
//     dz[n, i*ph + u, j*pw + v, k] = dy[n,i,j,k] where taps[n,i,j,k] == u*pw + v, else 0
//
// Thread mapping: one thread computes one element of the result, and neighbouring threads take neighbouring channels of
// one pixel. Compared with ReLU and pooling one after the other, z is read once, and backward needs one byte for each y
// instead of z and a mask.
//
// Images are (N, H, W, K) in memory. Elements are counted in 32 bits; the host cuts a larger batch into pieces.
#include "common.cuh"

extern "C" __global__ void relu_pool_forward(const scalar* z, scalar* y, unsigned char* taps, int elements,
                                             int channels, int height, int width, int out_height, int out_width,
                                             int pool_height, int pool_width) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const int k = e % channels, pixel = e / channels;
  const int j = pixel % out_width, i = pixel / out_width % out_height, n = pixel / out_width / out_height;
  scalar best = -infinity();
  int best_tap = 0;
  for (int u = 0; u < pool_height; u++)
    for (int v = 0; v < pool_width; v++) {
      const size_t z_pixel = ((size_t)n * height + i * pool_height + u) * width + j * pool_width + v;
      const scalar value = z[z_pixel * channels + k];
      if (value > best || (value != value && best == best)) {  // NaN counts as the largest
        best = value;
        best_tap = u * pool_width + v;
      }
    }
  y[e] = best <= 0 ? (scalar)0 : best;
  taps[e] = (unsigned char)(best <= 0 ? pool_height * pool_width : best_tap);
}

extern "C" __global__ void relu_pool_backward(const scalar* dy, const unsigned char* taps, scalar* dz, int elements,
                                              int channels, int height, int width, int out_height, int out_width,
                                              int pool_height, int pool_width) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const int k = e % channels, pixel = e / channels;
  const int q = pixel % width, p = pixel / width % height, n = pixel / width / height;
  const int i = p / pool_height, j = q / pool_width;
  scalar value = 0;
  if (i < out_height && j < out_width) {  // the last rows and columns may be in no window
    const size_t at = (((size_t)n * out_height + i) * out_width + j) * channels + k;
    const int tap = (p - i * pool_height) * pool_width + q - j * pool_width;
    const scalar gradient = dy[at];  // before the test, so that both reads are under way at once
    if (taps[at] == tap) value = gradient;
  }
  dz[e] = value;
}
