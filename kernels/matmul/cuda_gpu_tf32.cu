// Matrix product on tensor cores: step 5 of the ladder in cuda_gpu.cu, where 10 bits of mantissa are enough.
//
// New: the arithmetic. One instruction of a warp, mma, multiplies a 16 x 8 piece of a by an 8 x 8 piece of b in TF32
// and accumulates in float. The numbers are first rounded to TF32, so each product has a relative error of up to
// 1/1024, where the other steps round only the sums.
//
// Tensor cores are so fast that feeding them is the bottleneck:
//   * A block computes 128 x 128 results, each of its 4 warps 64 x 64 of them. For 8 values of l a warp reads its 64
//     rows and 64 columns with 8 instructions (ldmatrix), for 32 mma; smaller tiles would read each number more often.
//   * A number is rounded once, on its way into shared memory, not by every warp that reads it. So slices pass through
//     registers, instead of cp.async as in step 4: the next slice is fetched before the current one is multiplied, and
//     rounded and stored after it.
//   * A slice has 16 values of l, so a warp does 64 mma for one barrier. While those of the first 8 values run, the
//     operands of the others are read: the compiler arranges that, as there are registers for both.
// 37% of the main loop's instructions are mma (sm_90, `python -m tests.cuda.instructions`), 36 to 39% with other
// layouts of a and b. Each quarter of an sm_90 multiprocessor issues one instruction per cycle, and an mma takes at
// least 4: above 25%, tensor cores, or the shared memory that feeds them, are the limit.
//
// Thread mapping: tensor_core.cuh says which lane holds which element of a piece; lane = 4 g + t.
#include "add_parts.cuh"
#include "common.cuh"
#include "keep.cuh"
#include "result_tile.cuh"
#include "tensor_core.cuh"

#ifndef A_ALONG_L  // which matrix is contiguous along l: by default a is and b is not
#define A_ALONG_L 1
#define B_ALONG_L 0
#endif

constexpr int BLOCK = 128, SIDE = 64;  // a block computes BLOCK x BLOCK results, a warp SIDE x SIDE
constexpr int WARPS_ACROSS = BLOCK / SIDE, THREADS = WARPS_ACROSS * WARPS_ACROSS * WARP;
constexpr int BLOCK_K = 16, STEP = 8;     // values of l in a slice, and in one mma
constexpr int PIECE_M = 16, PIECE_N = 8;  // rows and columns of the result in one mma
constexpr int SHARE = 4;                  // vectors of a slice that a thread moves
constexpr int PIECES_M = SIDE / PIECE_M, PIECES_N = SIDE / PIECE_N;
static_assert(THREADS * SHARE * VECTOR == BLOCK * BLOCK_K, "threads must share a slice evenly");

// A slice in shared memory, slice[row][l], of a or of b's transpose ("row" is a row of a or a column of b). The eight
// vectors of each two rows, 128 bytes, are permuted (swizzled), so that eight lanes that read or write one vector in
// each of eight rows, as ldmatrix does, access different banks.
using Slice = unsigned[BLOCK * BLOCK_K];
__device__ __forceinline__ int place(int row, int l) {
  const int pair = row / 2;
  return (row * BLOCK_K + l) ^ (pair % 4 + pair / 2 % 2 * 4) * VECTOR;
}

// One operand: a, or b's transpose. It has `rows` rows and values of l up to end_l, and is contiguous along l or rows.
template <bool along_l>
struct Operand {
  const float* base;
  int rows, end_l, stride;
  __device__ bool in_vectors() const {
    return is_aligned(base) && stride % VECTOR == 0 && (along_l ? end_l : rows) % VECTOR == 0;
  }
};

// Moves this thread's share of slice after slice of one operand, in vectors along its contiguous axis. Where that is
// not l, the share is a square of 4 x 4 numbers, so that it can be stored in vectors along l all the same. WIDTH
// numbers, a vector or one, are fetched at a time.
template <bool along_l, int WIDTH>
struct Transfer {
  static constexpr int ROWS_APART = THREADS / 4;
  int row, l;  // position in the slice of the share's first number
  bool row_inside[SHARE];
  const float* from;
  long long stride;
  float numbers[SHARE][VECTOR] = {};  // [vector][number in it]; in rows outside the matrix they stay 0

  __device__ Transfer(const Operand<along_l>& operand, int first_row, int first_l) : stride(operand.stride) {
    const int quarter = threadIdx.x % 4, line = threadIdx.x / 4;
    row = along_l ? line : line * VECTOR, l = quarter * VECTOR;
#pragma unroll
    for (int i = 0; i < SHARE; i++) row_inside[i] = first_row + row + (along_l ? i * ROWS_APART : i) < operand.rows;
    const int first = first_row + row, at = first_l + l;
    from = operand.base + (along_l ? first * stride + at : at * stride + first);
  }

  // Fetch the first `count` values of l of the next slice: all, except in the first slice.
  __device__ __forceinline__ void fetch(int count = BLOCK_K) {
#pragma unroll
    for (int i = 0; i < SHARE; i++)
#pragma unroll
      for (int c = 0; c < VECTOR; c += WIDTH) {
        const float* const at = from + (along_l ? i * ROWS_APART : i) * stride + c;
        if (row_inside[along_l ? i : c] && l + (along_l ? c : i) < count) {
          const Numbers<WIDTH> part = *(const Numbers<WIDTH>*)at;
#pragma unroll
          for (int d = 0; d < WIDTH; d++) numbers[i][c + d] = part.value[d];
        }
      }
    from += along_l ? count : count * stride;
  }

  __device__ __forceinline__ void store(Slice& slice) const {
#pragma unroll
    for (int i = 0; i < SHARE; i++) {
      Numbers<VECTOR, unsigned> rounded;
#pragma unroll
      for (int c = 0; c < VECTOR; c++) rounded.value[c] = to_tf32(along_l ? numbers[i][c] : numbers[c][i]);
      const int to = along_l ? place(row, l) + i * ROWS_APART * BLOCK_K : place(row + i, l);
      *(Numbers<VECTOR, unsigned>*)&slice[to] = rounded;
    }
  }
};

using Sums = float[PIECES_M][PIECES_N][4];

// The offsets in the slices of the rows that this lane passes to ldmatrix.
struct Lines {
  int a, b;
  // A piece of a is four 8 x 4 matrices: rows 0-7, rows 8-15, then both for l + 4. Two pieces of b are four matrices:
  // the first piece for l and l + 4, then the second.
  __device__ Lines(int warp_m, int warp_n) {
    const int lane = threadIdx.x % WARP;
    a = place(warp_m + lane % 16, lane / 16 * 4), b = place(warp_n + lane / 16 * 8 + lane % 8, lane / 8 % 2 * 4);
    keep(a), keep(b);
  }
};

// acc += the warp's rows of a times its columns of b, for 8 values of l
__device__ __forceinline__ void multiply(const Slice& a, const Slice& b, const Lines& lines, int step, Sums& acc) {
  unsigned a_piece[PIECES_M][4], b_piece[PIECES_N][2];
#pragma unroll
  for (int i = 0; i < PIECES_M; i++) load_matrices(a_piece[i], &a[(lines.a ^ step) + i * PIECE_M * BLOCK_K]);
#pragma unroll
  for (int j = 0; j < PIECES_N; j += 2) load_matrices(b_piece[j], &b[(lines.b ^ step) + j * PIECE_N * BLOCK_K]);
#pragma unroll
  for (int i = 0; i < PIECES_M; i++)
#pragma unroll
    for (int j = 0; j < PIECES_N; j++) mma_tf32_16x8x8(acc[i][j], a_piece[i], b_piece[j], acc[i][j]);
}

using Left = Operand<A_ALONG_L>;
using Right = Operand<B_ALONG_L>;

// The main loop, which fetches WIDTH numbers at a time.
template <int WIDTH>
__device__ __forceinline__ void multiply_slices(const Left& a, const Right& b, int first_m, int first_n, int first_l,
                                                Slice (&a_slices)[2], Slice (&b_slices)[2], const Lines& lines,
                                                Sums& acc) {
  Transfer<A_ALONG_L, WIDTH> next_a(a, first_m, first_l);
  Transfer<B_ALONG_L, WIDTH> next_b(b, first_n, first_l);
  // Only the first slice may be shorter, so that the loop handles whole slices only.
  int left = a.end_l - first_l;
  const int shorter = (left - 1) % BLOCK_K + 1;
  next_a.fetch(shorter), next_b.fetch(shorter);
  next_a.store(a_slices[0]), next_b.store(b_slices[0]);
  __syncthreads();
  left -= shorter;
  for (int stage = 0;; stage ^= 1, left -= BLOCK_K) {
    if (left) next_a.fetch(), next_b.fetch();
#pragma unroll
    for (int step = 0; step < BLOCK_K; step += STEP)
      multiply(a_slices[stage], b_slices[stage], lines, step, acc);
    if (!left) break;
    next_a.store(a_slices[stage ^ 1]), next_b.store(b_slices[stage ^ 1]);
    __syncthreads();  // the next slice is complete, and no thread reads this one any more
  }
}

// c[m][n] = epilogue(acc) where (m, n) is inside c
__device__ __forceinline__ void store_pieces(const Sums& acc, float* c, int first_m, int first_n, int m_end, int n_end,
                                             const Epilogue& epilogue) {
  const bool aligned = is_aligned(c) && n_end % VECTOR == 0;
  const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int j = 0; j < PIECES_N; j++) {
    const int n = first_n + j * PIECE_N + 2 * t;
    const float bias[2] = {epilogue.bias_of(n, n_end), epilogue.bias_of(n + 1, n_end)};
#pragma unroll
    for (int i = 0; i < PIECES_M; i++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int m = first_m + i * PIECE_M + half * 8 + g;
        const float(&sums)[4] = acc[i][j];
        const Numbers<2> y = {epilogue(sums[2 * half], bias[0]), epilogue(sums[2 * half + 1], bias[1])};
        if (m < m_end) store(c + (size_t)m * n_end + n, y, n, n_end, aligned);
      }
  }
}

// The arguments are matmul_async's.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
matmul_tf32(const scalar* a, const scalar* b, const scalar* bias, scalar* parts, int relu, int m, int n, int k,
            int splits, int l_per_split, long long a_batch_stride, long long b_batch_stride) {
  __shared__ __align__(16) Slice a_slices[2];
  __shared__ __align__(16) Slice b_slices[2];
  const int batch = blockIdx.z / splits, split = blockIdx.z % splits, batches = gridDim.z / splits;
  const int first_l = split * l_per_split, end_l = min(k, first_l + l_per_split);
  const Left left = {a + batch * a_batch_stride, m, end_l, A_ALONG_L ? k : m};
  const Right right = {b + batch * b_batch_stride, n, end_l, B_ALONG_L ? k : n};
  const auto [first_m, first_n] = tile_position<BLOCK, BLOCK>();
  const int warp = threadIdx.x / WARP, warp_m = warp / WARPS_ACROSS * SIDE, warp_n = warp % WARPS_ACROSS * SIDE;
  const Lines lines(warp_m, warp_n);
  Sums acc = {};
  if (left.in_vectors() && right.in_vectors())
    multiply_slices<VECTOR>(left, right, first_m, first_n, first_l, a_slices, b_slices, lines, acc);
  else
    multiply_slices<1>(left, right, first_m, first_n, first_l, a_slices, b_slices, lines, acc);
  store_pieces(acc, parts + ((size_t)split * batches + batch) * m * n, first_m + warp_m, first_n + warp_n, m, n,
               {bias, relu != 0});
}
