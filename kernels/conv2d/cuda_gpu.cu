// Convolution and its two gradients as matrix products whose matrices are never written down ("implicit GEMM"). With
// n image, k output channel, c input channel, i j output pixel, r s tap; group by group, channels counted in the group:
//
//     forward      y[(n,i,j)][k]  = sum over (r,s,c) of  patch[(n,i,j)][(r,s,c)] * w[k][(r,s,c)]  + b[k]
//     input_grad   dx[(n,p,q)][c] = sum over (r,s,k) of  reach[(n,p,q)][(r,s,k)] * w[c][(r,s,k)]
//     weight_grad  dw[k][(r,s,c)] = sum over (n,i,j) of  dy[(n,i,j)][k] * patch[(n,i,j)][(r,s,c)]
//
//     patch[(n,i,j)][(r,s,c)] = x[n, i*stride + r*dilation - padding, j*stride + s*dilation - padding, c], 0 outside x
//     reach[(n,p,q)][(r,s,k)] = dy[n, (p + padding - r*dilation) / stride, (q + ...) / stride, k], 0 between pixels
//
// The main loop is matmul's (gemm_tile.cuh); new here are the operands, which find an element of patch or reach in the
// image when the loop asks for it. Images are (N, H, W, C) in memory: neighbouring c, or k, are neighbours there, and
// neighbouring threads take those.
//
// Thread mapping: block (x, y, z) computes tile (x, y) of the product of group z. The weight gradient has a small
// result and a long sum, so there z also counts the stretches into which the sum is cut; each writes a result of its
// own, and add_weight_parts adds them in a fixed order: the same bits every time.
//
// Read: Chetlur et al., cuDNN: Efficient Primitives for Deep Learning, 2014, arXiv 1410.0759, section 3.2.
#include "common.cuh"
#include "gemm_tile.cuh"

// Blocks that a multiprocessor should hold, by the registers that the results of one thread take: it has 65536. Without
// this hint the operands below cost a few registers too many for a second block of the largest tile.
constexpr int RESULT_REGISTERS = THREAD_M * THREAD_N * sizeof(scalar) / 4;
constexpr int BLOCKS_AT_ONCE = RESULT_REGISTERS >= 64 ? 2 : RESULT_REGISTERS >= 32 ? 3 : 4;

// n / divisor for 0 <= n < 2^31, by a multiplication and a shift: the loop divides often, always by the same numbers.
// Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994, figure 4.1.
struct Divisor {
  unsigned divisor, multiplier, shift;
  __device__ explicit Divisor(int d) : divisor(d), shift(d > 1 ? 32 - __clz(d - 1) : 0) {
    multiplier = (unsigned)(((((unsigned long long)1 << shift) - d) << 32) / d + 1);
  }
  __device__ __forceinline__ int quotient(int n) const { return (__umulhi(n, multiplier) + (unsigned)n) >> shift; }
  __device__ __forceinline__ int remainder(int n, int quotient) const { return n - quotient * (int)divisor; }
};

// Positions that no image has: of rows and columns that lie outside the matrix.
constexpr int BEFORE = -(1 << 29), BEHIND = 1 << 28;

struct Pixel {
  int first;  // number of pixel (0, 0) of its image among all pixels of the batch
  int y, x;
};
struct Tap {
  int y, x, channel;
};

struct Taps {
  int kernel_width, channels, count, dilation_y, dilation_x;  // count = R * S * channels
  Divisor by_channels, by_width;
  __device__ Taps(int kernel_height, int kernel_width, int channels, int dilation_y, int dilation_x)
      : kernel_width(kernel_width), channels(channels), count(kernel_height * kernel_width * channels),
        dilation_y(dilation_y), dilation_x(dilation_x), by_channels(channels), by_width(kernel_width) {}
  __device__ __forceinline__ Tap tap(int index) const {  // (r, s, channel), channel fastest
    const int rs = by_channels.quotient(index), r = by_width.quotient(rs);
    return {r * dilation_y, by_width.remainder(rs, r) * dilation_x, by_channels.remainder(index, rs)};
  }
};

struct Image {  // (N, H, W, pitch); `base` points at the group's first channel
  const scalar* base;
  int height, width, pitch;
  __device__ __forceinline__ const scalar* at(int first, int y, int x, int channel) const {
    if ((unsigned)y >= (unsigned)height || (unsigned)x >= (unsigned)width) return nullptr;
    return base + (long long)(first + y * width + x) * pitch + channel;
  }
};

struct Grid {  // of pixels: (n, i, j) as one number
  int height, width;
  Divisor by_width, by_height;
  __device__ Grid(int height, int width) : height(height), width(width), by_width(width), by_height(height) {}
  __device__ __forceinline__ void split(int pixel, int& n, int& i, int& j) const {
    const int ni = by_width.quotient(pixel);
    j = by_width.remainder(pixel, ni);
    n = by_height.quotient(ni);
    i = by_height.remainder(ni, n);
  }
};

// patch[pixel][tap]
struct Patches {
  Image x;
  Grid out;
  Taps taps;
  int pixels, stride_y, stride_x, padding_y, padding_x;

  __device__ __forceinline__ Pixel corner(int pixel) const {
    if (pixel >= pixels) return {0, BEFORE, BEFORE};
    int n, i, j;
    out.split(pixel, n, i, j);
    return {n * x.height * x.width, i * stride_y - padding_y, j * stride_x - padding_x};
  }
  __device__ __forceinline__ Tap tap(int index) const {
    if (index >= taps.count) return {BEHIND, BEHIND, 0};
    return taps.tap(index);
  }
  __device__ __forceinline__ const scalar* at(const Pixel& corner, const Tap& tap) const {
    return x.at(corner.first, corner.y + tap.y, corner.x + tap.x, tap.channel);
  }
};

// The patches as the left operand of `forward`: a row is a pixel, and the sum runs over the taps.
struct PatchRows {
  static constexpr bool ALONG_L = true;
  using Row = Pixel;
  using Column = Tap;
  const scalar* base;
  Patches patches;
  __device__ __forceinline__ Row row(int pixel) const { return patches.corner(pixel); }
  __device__ __forceinline__ Column column(int tap) const { return patches.tap(tap); }
  __device__ __forceinline__ const scalar* at(const Row& pixel, const Column& tap) const {
    return patches.at(pixel, tap);
  }
};

// The patches as the right operand of `weight_grad`: a column of the result is a tap, and the sum runs over the pixels.
struct PatchColumns {
  static constexpr bool ALONG_L = false;
  using Row = Tap;
  using Column = Pixel;
  const scalar* base;
  Patches patches;
  __device__ __forceinline__ Row row(int tap) const { return patches.tap(tap); }
  __device__ __forceinline__ Column column(int pixel) const { return patches.corner(pixel); }
  __device__ __forceinline__ const scalar* at(const Row& tap, const Column& pixel) const {
    return patches.at(pixel, tap);
  }
};

// reach[pixel][tap], the left operand of `input_grad`
struct ReachRows {
  static constexpr bool ALONG_L = true;
  using Row = Pixel;
  using Column = Tap;
  const scalar* base;
  Image dy;
  Grid in;
  Taps taps;
  Divisor by_stride_y, by_stride_x;
  int pixels, padding_y, padding_x;

  __device__ __forceinline__ Row row(int pixel) const {
    if (pixel >= pixels) return {0, BEFORE, BEFORE};
    int n, p, q;
    in.split(pixel, n, p, q);
    return {n * dy.height * dy.width, p + padding_y, q + padding_x};
  }
  __device__ __forceinline__ Column column(int index) const {
    if (index >= taps.count) return {BEHIND, BEHIND, 0};
    return taps.tap(index);
  }
  __device__ __forceinline__ const scalar* at(const Row& row, const Column& tap) const {
    const int y = row.y - tap.y, x = row.x - tap.x;
    if (y < 0 || x < 0) return nullptr;
    const int i = by_stride_y.quotient(y), j = by_stride_x.quotient(x);
    if (by_stride_y.remainder(y, i) || by_stride_x.remainder(x, j)) return nullptr;
    return dy.at(row.first, i, j, tap.channel);
  }
};

// x (N, H, W, groups*C), w (groups, K, R, S, C), y (N, OH, OW, groups*K), b (groups*K) or null
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
conv2d_forward(const scalar* x, const scalar* w, const scalar* b, scalar* y, int images, int groups, int channels,
               int height, int width, int out_channels, int out_height, int out_width, int kernel_height,
               int kernel_width, int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y,
               int dilation_x) {
  const int group = blockIdx.z, first_m = blockIdx.x * BLOCK_M, first_n = blockIdx.y * BLOCK_N;
  const Image image = {x + group * channels, height, width, groups * channels};
  const Taps taps(kernel_height, kernel_width, channels, dilation_y, dilation_x);
  const int pixels = images * out_height * out_width;
  const Patches patches = {image, Grid(out_height, out_width), taps, pixels, stride_y, stride_x, padding_y, padding_x};
  const PatchRows left = {image.base, patches};
  const Matrix<true> right = {w + (size_t)group * out_channels * taps.count, out_channels, taps.count, taps.count};
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, 0, taps.count, acc);
  store_tile(acc, y + group * out_channels, (size_t)groups * out_channels, first_m, first_n, pixels, out_channels,
             b ? b + group * out_channels : nullptr);
}

// dy (N, OH, OW, groups*K), w (groups, C, R, S, K), dx (N, H, W, groups*C)
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
conv2d_input_grad(const scalar* dy, const scalar* w, scalar* dx, int images, int groups, int channels, int height,
                  int width, int out_channels, int out_height, int out_width, int kernel_height, int kernel_width,
                  int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x) {
  const int group = blockIdx.z, first_m = blockIdx.x * BLOCK_M, first_n = blockIdx.y * BLOCK_N;
  const Image image = {dy + group * out_channels, out_height, out_width, groups * out_channels};
  const Taps taps(kernel_height, kernel_width, out_channels, dilation_y, dilation_x);
  const int pixels = images * height * width;
  const ReachRows left = {image.base,        image,  Grid(height, width), taps,     Divisor(stride_y),
                          Divisor(stride_x), pixels, padding_y,           padding_x};
  const Matrix<true> right = {w + (size_t)group * channels * taps.count, channels, taps.count, taps.count};
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, 0, taps.count, acc);
  store_tile(acc, dx + group * channels, (size_t)groups * channels, first_m, first_n, pixels, channels);
}

// x (N, H, W, groups*C), dy (N, OH, OW, groups*K), parts (splits, groups, K, R, S, C); z = group * splits + split
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
conv2d_weight_grad(const scalar* x, const scalar* dy, scalar* parts, int images, int groups, int channels, int height,
                   int width, int out_channels, int out_height, int out_width, int kernel_height, int kernel_width,
                   int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x, int splits,
                   int pixels_per_split) {
  const int group = blockIdx.z / splits, split = blockIdx.z % splits;
  const int first_m = blockIdx.x * BLOCK_M, first_n = blockIdx.y * BLOCK_N;
  const int pixels = images * out_height * out_width;
  const int first_pixel = split * pixels_per_split, end_pixel = min(pixels, first_pixel + pixels_per_split);
  const Matrix<false> left = {dy + group * out_channels, out_channels, pixels, groups * out_channels};
  const Image image = {x + group * channels, height, width, groups * channels};
  const Taps taps(kernel_height, kernel_width, channels, dilation_y, dilation_x);
  const Patches patches = {image, Grid(out_height, out_width), taps, pixels, stride_y, stride_x, padding_y, padding_x};
  const PatchColumns right = {image.base, patches};
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, first_pixel, end_pixel, acc);
  store_tile(acc, parts + ((size_t)split * groups + group) * out_channels * taps.count, taps.count, first_m, first_n,
             out_channels, taps.count);
}

// dw[k][c][rs] = sum over splits of parts[split][k][rs][c], with k over all groups: one thread an element of dw.
extern "C" __global__ void add_weight_parts(const scalar* parts, scalar* dw, int out_channels, int channels, int taps,
                                            int splits) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x, elements = out_channels * channels * taps;
  if (e >= elements) return;
  const int rs = e % taps, c = e / taps % channels, k = e / taps / channels;
  scalar sum = 0;
  for (int split = 0; split < splits; split++)
    sum += parts[(((size_t)split * out_channels + k) * taps + rs) * channels + c];
  dw[e] = sum;
}
