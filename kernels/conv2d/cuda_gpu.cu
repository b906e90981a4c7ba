// Convolution and its two gradients as matrix products whose matrices are never stored ("implicit GEMM"). With n image,
// k output channel, c input channel, i j output pixel, r s tap; in each group, whose channels are counted from 0:
//
//     forward      y[(n,i,j)][k]  = sum over (r,s,c) of  patch[(n,i,j)][(r,s,c)] * w[k][(r,s,c)]  + b[k]
//     input_grad   dx[(n,p,q)][c] = sum over (r,s,k) of  reach[(n,p,q)][(r,s,k)] * w[c][(r,s,k)]
//     weight_grad  dw[(r,s,c)][k] = sum over (n,i,j) of  patch[(n,i,j)][(r,s,c)] * dy[(n,i,j)][k]
//
//     patch[(n,i,j)][(r,s,c)] = x[n, i*stride + r*dilation - padding, j*stride + s*dilation - padding, c], 0 outside x
//     reach[(n,p,q)][(r,s,k)] = dy[n, (p + padding - r*dilation) / stride, (q + ...) / stride, k], 0 between pixels
//
// The main loop is matmul's (gemm_tile.cuh); new here are the operands, which compute where in the image an element of
// patch or reach lies. Images are (N, H, W, C) in memory, and neighbouring threads read neighbouring channels.
//
// Thread mapping: block (x, y, z) computes tile (x, y) of the product of group z. The weight gradient has a small
// result and a long sum, so the sum is split, and z = group * splits + split; each split writes a result of its own,
// and add_weight_parts adds them in a fixed order, so that every run gives the same bits.
//
// Read: Chetlur et al., cuDNN: Efficient Primitives for Deep Learning, 2014, arXiv 1410.0759, section 3.2.
#include "common.cuh"
#include "gemm_tile.cuh"
#include "keep.cuh"
#include "thread_rows.cuh"

// n / d = n * m / 2^(31 + shift) for 0 <= n < 2^31, with m = floor(2^(31 + shift) / d) + 1 and 2^shift >= d. The loop
// divides often, always by the same numbers. The host computes m, which takes a 64-bit division.
// For n < 0 the quotient is that of n + 2^31. The remainder, n - quotient * d, is that of n + 2^31 minus 2^31: not 0.
// Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994, theorem 4.2.
struct Divisor {
  unsigned divisor, multiplier, shift;
  __device__ Divisor(int d, unsigned multiplier)
      : divisor(d), multiplier(multiplier), shift(d > 1 ? 32 - __clz(d - 1) : 0) {}
  __device__ __forceinline__ int quotient(int n) const { return __umulhi(2u * n, multiplier) >> shift; }
  __device__ __forceinline__ int remainder(int n, int quotient) const { return n - quotient * (int)divisor; }
};

// Positions outside every image, for rows and columns beyond the end of the matrix.
constexpr int BEFORE = -(1 << 29), BEHIND = 1 << 28;

struct Tap {
  int y, x, channel;
};
struct Taps {
  int kernel_width, channels, count, dilation_y, dilation_x;  // count = R * S * channels
  Divisor by_channels, by_width;
  __device__ Taps(int kernel_height, int kernel_width, int channels, int dilation_y, int dilation_x,
                  unsigned by_channels, unsigned by_width)
      : kernel_width(kernel_width), channels(channels), count(kernel_height * kernel_width * channels),
        dilation_y(dilation_y), dilation_x(dilation_x), by_channels(channels, by_channels),
        by_width(kernel_width, by_width) {}
  __device__ __forceinline__ Tap tap(int index) const {  // (r, s, channel), channel fastest
    const int rs = by_channels.quotient(index), r = by_width.quotient(rs);
    return {r * dilation_y, by_width.remainder(rs, r) * dilation_x, by_channels.remainder(index, rs)};
  }
};

struct Image {  // (N, H, W, pitch); `base` points at the group's first channel
  const scalar* base;
  int height, width, pitch;
  __device__ __forceinline__ bool has(int y, int x) const {
    return (unsigned)y < (unsigned)height && (unsigned)x < (unsigned)width;
  }
  __device__ __forceinline__ const scalar* at(int n, int y, int x) const {
    return base + ((long long)n * (height * width) + (long long)y * width + x) * pitch;
  }
};

struct Grid {  // of pixels: (n, i, j) as one number
  int height, width;
  Divisor by_width, by_height;
  __device__ Grid(int height, int width, unsigned by_height, unsigned by_width)
      : height(height), width(width), by_width(width, by_width), by_height(height, by_height) {}
  __device__ __forceinline__ void split(int pixel, int& n, int& i, int& j) const {
    const int ni = by_width.quotient(pixel);
    j = by_width.remainder(pixel, ni);
    n = by_height.quotient(ni);
    i = by_height.remainder(ni, n);
  }
};

// patch[pixel][tap]. Its address is the sum of a part that depends on the pixel and one that depends on the tap, so
// each element costs one addition and the test whether it is inside the image.
struct Patches {
  struct Corner {  // first tap of a pixel's patch, maybe outside the image: its address and position
    const scalar* at;
    int y, x;
  };
  struct Step {  // from the corner to a tap
    int offset, y, x;
  };
  Image image;
  Grid grid;
  Taps taps;
  int pixels, stride_y, stride_x, padding_y, padding_x;

  __device__ __forceinline__ Corner corner(int pixel) const {
    if (pixel >= pixels) return {image.base, BEFORE, BEFORE};
    int n, i, j;
    grid.split(pixel, n, i, j);
    const int y = i * stride_y - padding_y, x = j * stride_x - padding_x;
    return {image.at(n, y, x), y, x};
  }
  __device__ __forceinline__ Step step(int index) const {
    if (index >= taps.count) return {0, BEHIND, BEHIND};
    const Tap tap = taps.tap(index);
    return {(tap.y * image.width + tap.x) * image.pitch + tap.channel, tap.y, tap.x};
  }
  __device__ __forceinline__ bool inside(const Corner& corner, const Step& step) const {
    return image.has(corner.y + step.y, corner.x + step.x);
  }
};

// patch as the left operand of `forward`: a row is a pixel, and the sum runs over the taps.
struct PatchRows {
  static constexpr bool ALONG_L = true;
  using Row = Patches::Corner;
  using Column = Patches::Step;
  Patches patches;
  __device__ bool in_vectors() const { return false; }
  __device__ __forceinline__ Row row(int pixel) const {
    Row corner = patches.corner(pixel);
    keep(corner.at), keep(corner.y), keep(corner.x);
    return corner;
  }
  __device__ __forceinline__ Column column(int tap) const { return patches.step(tap); }
  __device__ __forceinline__ bool inside(const Row& corner, const Column& step) const {
    return patches.inside(corner, step);
  }
  __device__ __forceinline__ const scalar* at(const Row& corner, const Column& step) const {
    return corner.at + step.offset;
  }
};

// patch, transposed, as the left operand of `weight_grad`: a row is a tap, and the sum runs over the pixels.
struct PatchColumns {
  static constexpr bool ALONG_L = false;
  using Row = Patches::Step;
  using Column = Patches::Corner;
  Patches patches;
  __device__ bool in_vectors() const {
    return is_aligned(patches.image.base) && patches.taps.channels % VECTOR == 0;
  }
  __device__ __forceinline__ Row row(int tap) const {
    Row step = patches.step(tap);
    keep(step.offset), keep(step.y), keep(step.x);
    return step;
  }
  __device__ __forceinline__ Column column(int pixel) const { return patches.corner(pixel); }
  __device__ __forceinline__ bool inside(const Row& step, const Column& corner) const {
    return patches.inside(corner, step);
  }
  __device__ __forceinline__ const scalar* at(const Row& step, const Column& corner) const {
    return corner.at + step.offset;
  }
};

// reach[pixel][tap], the left operand of `input_grad` for any stride
struct ReachRows {
  static constexpr bool ALONG_L = true;
  struct Row {
    const scalar* image;
    int y, x;
  };
  using Column = Tap;
  Image dy;
  Grid grid;
  Taps taps;
  Divisor by_stride_y, by_stride_x;
  int pixels, padding_y, padding_x;

  __device__ bool in_vectors() const { return false; }
  __device__ __forceinline__ Row row(int pixel) const {
    if (pixel >= pixels) return {dy.base, BEFORE, BEFORE};
    int n, p, q;
    grid.split(pixel, n, p, q);
    return {dy.at(n, 0, 0), p + padding_y, q + padding_x};
  }
  __device__ __forceinline__ Column column(int index) const {
    return index < taps.count ? taps.tap(index) : Tap{BEHIND, BEHIND, 0};
  }
  // Finds the output pixel (i, j) whose tap reads this pixel; false if none does, as stride skips it or y, x < 0.
  __device__ __forceinline__ bool reach(const Row& row, const Tap& tap, int& i, int& j) const {
    const int y = row.y - tap.y, x = row.x - tap.x;
    i = by_stride_y.quotient(y), j = by_stride_x.quotient(x);
    return !by_stride_y.remainder(y, i) && !by_stride_x.remainder(x, j);
  }
  __device__ __forceinline__ bool inside(const Row& row, const Column& tap) const {
    int i, j;
    return reach(row, tap, i, j) && dy.has(i, j);
  }
  __device__ __forceinline__ const scalar* at(const Row& row, const Column& tap) const {
    int i, j;
    reach(row, tap, i, j);
    // Unsigned, as i and j may be anything where the element is not inside and so not read.
    return row.image + ((unsigned)i * dy.width + j) * dy.pitch + tap.channel;
  }
};

// x (N, H, W, groups*C), w (groups, R, S, C, K), y (N, OH, OW, groups*K), b (groups*K) or null
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
conv2d_forward(const scalar* x, const scalar* w, const scalar* b, scalar* y, int images, int groups, int channels,
               int height, int width, int out_channels, int out_height, int out_width, int kernel_height,
               int kernel_width, int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y,
               int dilation_x, unsigned by_channels, unsigned by_kernel_width, unsigned by_height, unsigned by_width) {
  const auto [first_m, first_n] = tile_position<BLOCK_M, BLOCK_N>();
  const int group = blockIdx.z;
  const Image image = {x + group * channels, height, width, groups * channels};
  const Taps taps(kernel_height, kernel_width, channels, dilation_y, dilation_x, by_channels, by_kernel_width);
  const int pixels = images * out_height * out_width;
  const Grid grid(out_height, out_width, by_height, by_width);
  const PatchRows left = {{image, grid, taps, pixels, stride_y, stride_x, padding_y, padding_x}};
  const Matrix<false> right = {w + (size_t)group * out_channels * taps.count, out_channels, taps.count, out_channels};
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, 0, taps.count, acc);
  store_tile(acc, y + group * out_channels, (size_t)groups * out_channels, first_m, first_n, pixels, out_channels,
             {b ? b + group * out_channels : nullptr});
}

// dy (N, OH, OW, groups*K), w (groups, R, S, K, C), dx (N, H, W, groups*C)
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
conv2d_input_grad(const scalar* dy, const scalar* w, scalar* dx, int images, int groups, int channels, int height,
                  int width, int out_channels, int out_height, int out_width, int kernel_height, int kernel_width,
                  int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x,
                  unsigned by_channels, unsigned by_kernel_width, unsigned by_height, unsigned by_width,
                  unsigned by_stride_y, unsigned by_stride_x) {
  const auto [first_m, first_n] = tile_position<BLOCK_M, BLOCK_N>();
  const int group = blockIdx.z;
  const Image image = {dy + group * out_channels, out_height, out_width, groups * out_channels};
  const Taps taps(kernel_height, kernel_width, out_channels, dilation_y, dilation_x, by_channels, by_kernel_width);
  const int pixels = images * height * width;
  const Grid grid(height, width, by_height, by_width);
  const Divisor rows(stride_y, by_stride_y), columns(stride_x, by_stride_x);
  const ReachRows left = {image, grid, taps, rows, columns, pixels, padding_y, padding_x};
  const Matrix<false> right = {w + (size_t)group * channels * taps.count, channels, taps.count, channels};
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, 0, taps.count, acc);
  store_tile(acc, dx + group * channels, (size_t)groups * channels, first_m, first_n, pixels, channels);
}

// The same for stride 1, where reach is patch with dy in the place of x, and taps that step backwards.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
conv2d_input_grad_stride_1(const scalar* dy, const scalar* w, scalar* dx, int images, int groups, int channels,
                           int height, int width, int out_channels, int out_height, int out_width, int kernel_height,
                           int kernel_width, int padding_y, int padding_x, int dilation_y, int dilation_x,
                           unsigned by_channels, unsigned by_kernel_width, unsigned by_height, unsigned by_width) {
  const auto [first_m, first_n] = tile_position<BLOCK_M, BLOCK_N>();
  const int group = blockIdx.z;
  const Image image = {dy + group * out_channels, out_height, out_width, groups * out_channels};
  const Taps taps(kernel_height, kernel_width, out_channels, -dilation_y, -dilation_x, by_channels, by_kernel_width);
  const int pixels = images * height * width;
  const Grid grid(height, width, by_height, by_width);
  const PatchRows left = {{image, grid, taps, pixels, 1, 1, -padding_y, -padding_x}};
  const Matrix<false> right = {w + (size_t)group * channels * taps.count, channels, taps.count, channels};
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, 0, taps.count, acc);
  store_tile(acc, dx + group * channels, (size_t)groups * channels, first_m, first_n, pixels, channels);
}

// x (N, H, W, groups*C), dy (N, OH, OW, groups*K), parts (splits, groups, R, S, C, K); z = group * splits + split
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
conv2d_weight_grad(const scalar* x, const scalar* dy, scalar* parts, int images, int groups, int channels, int height,
                   int width, int out_channels, int out_height, int out_width, int kernel_height, int kernel_width,
                   int stride_y, int stride_x, int padding_y, int padding_x, int dilation_y, int dilation_x,
                   unsigned by_channels, unsigned by_kernel_width, unsigned by_height, unsigned by_width, int splits,
                   int pixels_per_split) {
  const auto [first_m, first_n] = tile_position<BLOCK_M, BLOCK_N>();
  const int group = blockIdx.z / splits, split = blockIdx.z % splits;
  const int pixels = images * out_height * out_width;
  const int first_pixel = split * pixels_per_split, end_pixel = min(pixels, first_pixel + pixels_per_split);
  const Image image = {x + group * channels, height, width, groups * channels};
  const Taps taps(kernel_height, kernel_width, channels, dilation_y, dilation_x, by_channels, by_kernel_width);
  const Grid grid(out_height, out_width, by_height, by_width);
  const PatchColumns left = {{image, grid, taps, pixels, stride_y, stride_x, padding_y, padding_x}};
  const Matrix<false> right = {dy + group * out_channels, out_channels, pixels, groups * out_channels};
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, first_pixel, end_pixel, acc);
  store_tile(acc, parts + ((size_t)split * groups + group) * taps.count * out_channels, out_channels, first_m, first_n,
             taps.count, out_channels);
}

// packed[group][rs][c][k] = w[group][k][c][rs], or packed[group][rs][k][c] where `channels_last`: a thread an element.
extern "C" __global__ void pack_weights(const scalar* w, scalar* packed, int groups, int out_channels, int channels,
                                        int taps, int channels_last) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= groups * taps * channels * out_channels) return;
  const int columns = channels_last ? channels : out_channels, rows = channels_last ? out_channels : channels;
  const int column = e % columns, row = e / columns % rows, rs = e / columns / rows % taps;
  const int group = e / columns / rows / taps, k = channels_last ? row : column, c = channels_last ? column : row;
  packed[e] = w[(((size_t)group * out_channels + k) * channels + c) * taps + rs];
}

// dw[group][k][c][rs] = sum over splits of parts[split][group][rs][c][k]. Block (32, 1 to 8): lane x is an element, in
// the order of parts, so that neighbouring lanes read neighbours; the thread rows y share the splits.
extern "C" __global__ void __launch_bounds__(WARP * THREAD_ROWS)
add_weight_parts(const scalar* parts, scalar* dw, int groups, int out_channels, int channels, int taps, int splits) {
  __shared__ scalar shared[THREAD_ROWS][WARP];
  const int e = blockIdx.x * WARP + threadIdx.x, elements = groups * taps * channels * out_channels;
  const scalar sum = sum_of_parts(parts, elements, e, splits, shared);
  if (threadIdx.y > 0 || e >= elements) return;
  const int k = e % out_channels, c = e / out_channels % channels;
  const int rs = e / out_channels / channels % taps, group = e / out_channels / channels / taps;
  dw[(((size_t)group * out_channels + k) * channels + c) * taps + rs] = sum;
}
