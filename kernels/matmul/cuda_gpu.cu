// Matrix product, c[i][j] = sum_l a[i][l] * b[l][j], as a ladder of four kernels, each with one improvement over the
// one before. The host uses the last; the others are there to be read, run and timed.
//
//     1 matmul_naive      a thread computes one element straight from global memory
//     2 matmul_tiled      a block shares tiles of a and b: each number is fetched once a block instead of once a thread
//     3 matmul_registers  a thread computes 8 x 8 elements: each number read from shared memory is used 8 times
//     4 matmul_async      warp tiles, and the next tiles are copied while this one is multiplied
//
// Matrices: a (m, k) and b (k, n) by their strides, so that a transposed one is read in place; c (m, n) is row-major.
// blockIdx.z is the index in the batch; a batch stride of 0 uses one matrix for the whole batch.
#include "add_parts.cuh"
#include "common.cuh"
#include "gemm_tile.cuh"

// ---- 1. One thread, one element ------------------------------------------------------------------------------------
// Block (32, 8): thread x is column j, thread y is row i. The 32 lanes of a warp read the same a[i][l] and 32
// neighbouring b[l][j]. Every multiply-add waits for two numbers, mostly out of the caches: n threads read each element
// of a, and m threads each of b.
extern "C" __global__ void
matmul_naive(const scalar* a, const scalar* b, scalar* c, int m, int n, int k, int a_row_stride, int a_column_stride,
             int b_row_stride, int b_column_stride, long long a_batch_stride, long long b_batch_stride) {
  const int i = blockIdx.x * blockDim.y + threadIdx.y, j = blockIdx.y * blockDim.x + threadIdx.x;
  if (i >= m || j >= n) return;
  a += blockIdx.z * a_batch_stride + (size_t)i * a_row_stride;
  b += blockIdx.z * b_batch_stride + (size_t)j * b_column_stride;
  scalar sum = 0;
  for (int l = 0; l < k; l++) sum += a[(size_t)l * a_column_stride] * b[(size_t)l * b_row_stride];
  c[((size_t)blockIdx.z * m + i) * n + j] = sum;
}

// ---- 2. Shared-memory tiles ----------------------------------------------------------------------------------------
// New: the 32 x 32 threads of a block together fetch a 32 x 32 tile of a and one of b into shared memory, and multiply
// them from there. Each number is fetched from global memory 32 times less often.
// The extra column of the tiles puts the elements of one column into different banks.
constexpr int TILE = 32;

extern "C" __global__ void __launch_bounds__(TILE * TILE)
matmul_tiled(const scalar* a, const scalar* b, scalar* c, int m, int n, int k, int a_row_stride, int a_column_stride,
             int b_row_stride, int b_column_stride, long long a_batch_stride, long long b_batch_stride) {
  __shared__ scalar a_tile[TILE][TILE + 1];  // [i][l]
  __shared__ scalar b_tile[TILE][TILE + 1];  // [l][j]
  const int x = threadIdx.x, y = threadIdx.y;
  const int first_i = blockIdx.x * TILE, first_j = blockIdx.y * TILE;
  a += blockIdx.z * a_batch_stride;
  b += blockIdx.z * b_batch_stride;
  // Threads x run along the contiguous axis of each matrix.
  const int a_i = a_column_stride == 1 ? y : x, a_l = a_column_stride == 1 ? x : y;
  const int b_l = b_column_stride == 1 ? y : x, b_j = b_column_stride == 1 ? x : y;
  scalar sum = 0;
  for (int first_l = 0; first_l < k; first_l += TILE) {
    const int i = first_i + a_i, j = first_j + b_j, la = first_l + a_l, lb = first_l + b_l;
    a_tile[a_i][a_l] = i < m && la < k ? a[(size_t)i * a_row_stride + (size_t)la * a_column_stride] : (scalar)0;
    b_tile[b_l][b_j] = j < n && lb < k ? b[(size_t)lb * b_row_stride + (size_t)j * b_column_stride] : (scalar)0;
    __syncthreads();  // the tiles are complete
#pragma unroll
    for (int l = 0; l < TILE; l++) sum += a_tile[y][l] * b_tile[l][x];
    __syncthreads();  // no thread reads them any more
  }
  const int i = first_i + y, j = first_j + x;
  if (i < m && j < n) c[((size_t)blockIdx.z * m + i) * n + j] = sum;
}

// ---- 3. Register tiles ---------------------------------------------------------------------------------------------
// New: a block of 8 x 8 threads computes 64 x 64 elements, each thread 8 x 8 of them in registers. For each l it reads
// 8 numbers of a and 8 of b from shared memory, as vectors of 16 bytes, for 64 multiply-adds: kernel 2 reads 2 for 1.
// Both tiles are stored [l][...], so that what a thread reads is contiguous.
constexpr int SIDE = 64, DEPTH = 8, OWN = 8;
constexpr int SIDE_THREADS = SIDE / OWN;

// tile[l][row] = matrix[first_row + row][first_l + l], 0 outside. For b, `row` stands for a column.
__device__ __forceinline__ void fetch_tile(scalar (*tile)[SIDE + VECTOR], const scalar* matrix, int first_row, int rows,
                                           int row_stride, int first_l, int k, int l_stride) {
  for (int e = threadIdx.x; e < SIDE * DEPTH; e += SIDE_THREADS * SIDE_THREADS) {
    const int row = l_stride == 1 ? e / DEPTH : e % SIDE, l = l_stride == 1 ? e % DEPTH : e / SIDE;
    const bool inside = first_row + row < rows && first_l + l < k;
    const scalar* const element = matrix + (size_t)(first_row + row) * row_stride + (size_t)(first_l + l) * l_stride;
    tile[l][row] = inside ? *element : (scalar)0;
  }
}

extern "C" __global__ void __launch_bounds__(SIDE_THREADS * SIDE_THREADS)
matmul_registers(const scalar* a, const scalar* b, scalar* c, int m, int n, int k, int a_row_stride,
                 int a_column_stride, int b_row_stride, int b_column_stride, long long a_batch_stride,
                 long long b_batch_stride) {
  __shared__ __align__(16) scalar a_tile[DEPTH][SIDE + VECTOR];
  __shared__ __align__(16) scalar b_tile[DEPTH][SIDE + VECTOR];
  const int first_i = blockIdx.x * SIDE, first_j = blockIdx.y * SIDE;
  const int own_i = threadIdx.x / SIDE_THREADS * OWN, own_j = threadIdx.x % SIDE_THREADS * OWN;
  a += blockIdx.z * a_batch_stride;
  b += blockIdx.z * b_batch_stride;
  scalar acc[OWN][OWN] = {};
  for (int first_l = 0; first_l < k; first_l += DEPTH) {
    fetch_tile(a_tile, a, first_i, m, a_row_stride, first_l, k, a_column_stride);
    fetch_tile(b_tile, b, first_j, n, b_column_stride, first_l, k, b_row_stride);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < DEPTH; l++) {
      vector a_part[OWN / VECTOR], b_part[OWN / VECTOR];
#pragma unroll
      for (int v = 0; v < OWN / VECTOR; v++) {
        a_part[v] = *(const vector*)&a_tile[l][own_i + v * VECTOR];
        b_part[v] = *(const vector*)&b_tile[l][own_j + v * VECTOR];
      }
#pragma unroll
      for (int i = 0; i < OWN; i++)
#pragma unroll
        for (int j = 0; j < OWN; j++)
          acc[i][j] += a_part[i / VECTOR].value[i % VECTOR] * b_part[j / VECTOR].value[j % VECTOR];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < OWN; i++)
#pragma unroll
    for (int j = 0; j < OWN; j++)
      if (first_i + own_i + i < m && first_j + own_j + j < n)
        c[((size_t)blockIdx.z * m + first_i + own_i + i) * n + first_j + own_j + j] = acc[i][j];
}

// ---- 4. Warp tiles and asynchronous copies -------------------------------------------------------------------------
// New: the main loop of gemm_tile.cuh. Tiles are copied asynchronously while others are multiplied, without passing
// through registers; a slice costs one barrier instead of two; and the lanes of a warp form a tile of their own, so
// that their vector reads from shared memory share addresses and fall into different banks. A matrix that is not
// contiguous along l is copied in vectors. 84% of the main loop's instructions are multiply-adds (sm_90, 128 x 128),
// where kernel 3 has 40% (`python -m tests.cuda.instructions`).
//
// blockIdx.z = batch * splits + split. Each split sums over l_per_split (a multiple of 8) values of l into a matrix of
// its own, parts[split][batch], and add_parts adds them up. Bias and ReLU are applied to the whole sum: by this kernel
// if there is one split, else by add_parts.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_AT_ONCE)
matmul_async(const scalar* a, const scalar* b, const scalar* bias, scalar* parts, int relu, int m, int n, int k,
             int splits, int l_per_split, long long a_batch_stride, long long b_batch_stride) {
  const int batch = blockIdx.z / splits, split = blockIdx.z % splits, batches = gridDim.z / splits;
  const Matrix<A_ALONG_L> left = {a + batch * a_batch_stride, m, k, A_ALONG_L ? k : m};
  const Matrix<B_ALONG_L> right = {b + batch * b_batch_stride, n, k, B_ALONG_L ? k : n};
  const auto [first_m, first_n] = tile_position<BLOCK_M, BLOCK_N>();
  const int first_l = split * l_per_split, end_l = min(k, first_l + l_per_split);
  scalar acc[THREAD_M][THREAD_N] = {};
  multiply_tiles(left, right, first_m, first_n, first_l, end_l, acc);
  store_tile(acc, parts + ((size_t)split * batches + batch) * m * n, n, first_m, first_n, m, n,
             {bias, relu != 0});
}
