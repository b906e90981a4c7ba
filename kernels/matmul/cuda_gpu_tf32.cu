// Matrix product on tensor cores: step 5 of the ladder in cuda_gpu.cu, for those who can do with 10 bits of mantissa.
//
// New: the arithmetic. The slices arrive as in step 4 (gemm_tile.cuh), but a warp multiplies a 16 x 8 piece of a with
// an 8 x 8 piece of b in one instruction, which takes TF32 numbers and adds up in float. Each warp owns 32 x 64
// elements of c: 2 x 8 pieces of 16 x 8. Every number is rounded to nearest when it is read, so that each product is
// wrong by up to one part in 1024, where the other steps round nothing but the sum.
//
// Thread mapping within a piece: tensor_core.cuh says which lane holds which element; lane = 4 g + t.
#define PAD 8  // lanes read slice[t][g]: rows 8 banks apart keep 4 values of t and 8 of g out of each other's way
#include "add_parts.cuh"
#include "common.cuh"
#include "gemm_tile.cuh"
#include "tensor_core.cuh"

constexpr int PIECE_M = 16, PIECE_N = 8;  // and 8 of l: one slice
constexpr int PIECES_M = WARP_M / PIECE_M, PIECES_N = WARP_N / PIECE_N;
static_assert(BLOCK_K == 8, "a slice is one step of the tensor core");

// The arguments are matmul_async's.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
matmul_tf32(const scalar* a, const scalar* b, const scalar* bias, scalar* parts, int relu, int m, int n, int k,
            int splits, int l_per_split, long long a_batch_stride, long long b_batch_stride) {
  const int batch = blockIdx.z / splits, split = blockIdx.z % splits, batches = gridDim.z / splits;
  const Matrix<A_ALONG_L> left = {a + batch * a_batch_stride, m, k, A_ALONG_L ? k : m};
  const Matrix<B_ALONG_L> right = {b + batch * b_batch_stride, n, k, B_ALONG_L ? k : n};
  const auto [first_m, first_n] = tile_position<BLOCK_M, BLOCK_N>();
  const int first_l = split * l_per_split, end_l = min(k, first_l + l_per_split);
  const int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
  const int warp_m = warp / (BLOCK_N / WARP_N) * WARP_M, warp_n = warp % (BLOCK_N / WARP_N) * WARP_N;

  float acc[PIECES_M][PIECES_N][4] = {};
  for_each_slice(left, right, first_m, first_n, first_l, end_l, [&](auto a_slice, auto b_slice) {
    unsigned a_piece[PIECES_M][4], b_piece[PIECES_N][2];
#pragma unroll
    for (int i = 0; i < PIECES_M; i++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        a_piece[i][e] = to_tf32(a_slice[t + 4 * (e / 2)][warp_m + i * PIECE_M + g + 8 * (e % 2)]);
#pragma unroll
    for (int j = 0; j < PIECES_N; j++)
#pragma unroll
      for (int e = 0; e < 2; e++) b_piece[j][e] = to_tf32(b_slice[t + 4 * e][warp_n + j * PIECE_N + g]);
#pragma unroll
    for (int i = 0; i < PIECES_M; i++)
#pragma unroll
      for (int j = 0; j < PIECES_N; j++) mma_tf32_16x8x8(acc[i][j], a_piece[i], b_piece[j], acc[i][j]);
  });

  scalar* const c = parts + ((size_t)split * batches + batch) * m * n;
  const Epilogue epilogue = {bias, relu != 0};
#pragma unroll
  for (int i = 0; i < PIECES_M; i++)
#pragma unroll
    for (int j = 0; j < PIECES_N; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int row = first_m + warp_m + i * PIECE_M + g + 8 * (e / 2);
        const int column = first_n + warp_n + j * PIECE_N + 2 * t + e % 2;
        if (row < m && column < n)
          c[(size_t)row * n + column] = epilogue(acc[i][j][e], epilogue.bias_of(column, n));
      }
}
