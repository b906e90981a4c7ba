// The main loop of a fast matrix product on CUDA cores, shared by matmul and conv2d:
//
//     acc[i][j] += sum_l A[m][l] * B[l][n]        for a tile of BLOCK_M x BLOCK_N elements (m, n) of the result
//
// Who computes what. The block's tile is cut into warp tiles of 4 x 8 lanes; each lane owns THREAD_M x THREAD_N results
// in registers, in vectors of 16 bytes that lie 4 (or 8) vectors apart. For each l a lane reads THREAD_M + THREAD_N
// numbers from shared memory, in vectors and without bank conflicts, for THREAD_M * THREAD_N multiply-adds: with 8 x 8,
// 16 numbers for 64, which keeps the arithmetic units busy. A multiprocessor (but that of sm_80) issues instructions no
// faster than it can finish multiply-adds, so every other instruction costs a multiply-add.
//
// Who fetches what. A slice of BLOCK_K values of l, tile[l][m] of A and tile[l][n] of B, is copied into shared memory
// asynchronously, STAGES - 1 slices ahead of the arithmetic, which hides the latency of memory (hundreds of cycles).
// One barrier per slice is enough: after it, this slice has arrived for all threads, and all have finished with the
// slice before, whose place the next copies take.
//
// An operand computes where its elements are, so a matrix that is never stored (the patches of an image) works like one
// in memory. For rows beyond its end it may return any other row: their results are not stored.
//
//     struct Operand {
//       static constexpr bool ALONG_L;               // are neighbouring l contiguous, or neighbouring m (n)?
//       bool in_vectors() const;                     // if m (n): may they be copied VECTOR at a time?
//       Row row(int m) const;                        // what depends on m only: computed once for the whole loop
//       Column column(int l) const;                  // what depends on l only: computed once a slice
//       bool inside(Row, Column) const;              // false where the element is 0
//       const scalar* at(Row, Column) const;         // the address of the element, if inside
//     };
//
// Read for the shape of these tiles: the CUTLASS project's "Efficient GEMM in CUDA".
#pragma once
#include "async_copy.cuh"
#include "common.cuh"
#include "keep.cuh"
#include "result_tile.cuh"

#ifndef BLOCK_M
#define BLOCK_M 64
#define BLOCK_N 64
#define THREAD_M 4
#define THREAD_N 4
#endif

constexpr int BLOCK_K = 8;
constexpr int STAGES = 4;
constexpr int LANES_M = 4, LANES_N = 8;
constexpr int WARP_M = LANES_M * THREAD_M, WARP_N = LANES_N * THREAD_N;
constexpr int THREADS = (BLOCK_M / THREAD_M) * (BLOCK_N / THREAD_N);
static_assert(BLOCK_M % WARP_M == 0 && BLOCK_N % WARP_N == 0, "warps must tile the block");
static_assert(THREAD_M % VECTOR == 0 && THREAD_N % VECTOR == 0, "a thread reads whole vectors");

// How many blocks a multiprocessor, with its 65536 registers, should hold, from the registers of a thread's results.
// Without this hint, a complex operand takes a few registers too many for a second block of the largest tile.
constexpr int RESULT_REGISTERS = THREAD_M * THREAD_N * sizeof(scalar) / 4;
constexpr int BLOCKS_AT_ONCE = RESULT_REGISTERS >= 64 && THREADS >= 256 ? 2 : RESULT_REGISTERS >= 32 ? 3 : 4;

// At the end of each row of a slice: puts copies that step through l into different banks.
constexpr int PAD = VECTOR;

// A matrix in memory as an operand; `stride` is that of the axis that is not contiguous. In matmul, A_ALONG_L and
// B_ALONG_L say whether a and b are contiguous along l: by default a is and b is not.
#ifndef A_ALONG_L
#define A_ALONG_L 1
#define B_ALONG_L 0
#endif
template <bool along_l>
struct Matrix {
  static constexpr bool ALONG_L = along_l;
  using Row = const scalar*;  // its element at l = 0
  struct Column {
    long long offset;
    bool inside;
  };
  const scalar* base;
  int rows, k, stride;
  __device__ bool in_vectors() const { return is_aligned(base) && stride % VECTOR == 0 && rows % VECTOR == 0; }
  __device__ Row row(int i) const {
    Row first = base + (long long)(i < rows ? i : 0) * (along_l ? stride : 1);
    keep(first);
    return first;
  }
  __device__ Column column(int l) const { return {(long long)l * (along_l ? 1 : stride), l < k}; }
  __device__ bool inside(Row, Column column) const { return column.inside; }
  __device__ const scalar* at(Row row, Column column) const { return row + column.offset; }
};

// Copies slices of one operand; neighbouring threads take neighbouring elements in memory. What is the same for all
// slices is kept in registers: an instruction saved here is a multiply-add gained.
template <int BLOCK, class Operand>
struct SliceCopy {
  static constexpr bool ALONG_L = Operand::ALONG_L;
  static constexpr int ROW_STEP = THREADS / BLOCK_K;  // if ALONG_L: between the rows that one thread copies
  static constexpr int ROWS = ALONG_L ? BLOCK / ROW_STEP : 1;
  static constexpr int ROW_BYTES = (BLOCK + PAD) * sizeof(scalar);
  static_assert(BLOCK % ROW_STEP == 0 && THREADS % BLOCK == 0, "threads must share a slice evenly");

  const Operand& operand;
  int in_vectors, l;
  SharedAddress to;  // of this thread's first element in the first slice
  typename Operand::Row rows[ROWS];

  __device__ SliceCopy(const Operand& operand, const scalar* slices, int first_row)
      : operand(operand), in_vectors(!ALONG_L && operand.in_vectors()) {
    const int side_by_side = ALONG_L ? BLOCK_K : in_vectors ? BLOCK / VECTOR : BLOCK;  // threads, in memory
    const int across = threadIdx.x % side_by_side, along = threadIdx.x / side_by_side;
    const int row = ALONG_L ? along : in_vectors ? across * VECTOR : across;
    l = ALONG_L ? across : along;
    to = shared_address(slices) + (l * (BLOCK + PAD) + row) * sizeof(scalar);
    keep(in_vectors), keep(l), keep(to);
#pragma unroll
    for (int i = 0; i < ROWS; i++) rows[i] = operand.row(first_row + row + i * ROW_STEP);
  }

  __device__ __forceinline__ void issue(int stage, int first_l) const {
    const SharedAddress here = to + stage * (BLOCK_K * ROW_BYTES);
    if (ALONG_L) {
      const typename Operand::Column column = operand.column(first_l + l);
#pragma unroll
      for (int i = 0; i < ROWS; i++) copy<1>(here + i * ROW_STEP * (int)sizeof(scalar), rows[i], column);
    } else if (in_vectors) {
      copy_across<VECTOR>(here, first_l + l);
    } else {
      copy_across<1>(here, first_l + l);
    }
  }

  template <int WIDTH>
  __device__ __forceinline__ void copy_across(SharedAddress here, int first_l) const {
    constexpr int L_STEP = THREADS * WIDTH / BLOCK;
#pragma unroll
    for (int step = 0; step < BLOCK_K; step += L_STEP)
      if (L_STEP <= BLOCK_K || l < BLOCK_K)  // a small tile has fewer vectors than threads
        copy<WIDTH>(here + step * ROW_BYTES, rows[0], operand.column(first_l + step));
  }

  template <int WIDTH>
  __device__ __forceinline__ void copy(SharedAddress here, const typename Operand::Row& row,
                                       const typename Operand::Column& column) const {
    copy_async<WIDTH * sizeof(scalar)>(here, operand.at(row, column), operand.inside(row, column));
  }
};

// Calls multiply(a_slice, b_slice) for every slice from first_l (a multiple of BLOCK_K) up to end_l, while the next
// slices are being copied. Operands give zeros beyond their own end.
template <class A, class B, class Multiply>
__device__ __forceinline__ void for_each_slice(const A& a, const B& b, int first_m, int first_n, int first_l, int end_l,
                                               Multiply multiply) {
  __shared__ __align__(16) scalar a_slices[STAGES][BLOCK_K][BLOCK_M + PAD];
  __shared__ __align__(16) scalar b_slices[STAGES][BLOCK_K][BLOCK_N + PAD];
  const SliceCopy<BLOCK_M, A> copy_a(a, &a_slices[0][0][0], first_m);
  const SliceCopy<BLOCK_N, B> copy_b(b, &b_slices[0][0][0], first_n);
  const int slices = (end_l - first_l + BLOCK_K - 1) / BLOCK_K;

  // Each turn commits one group of copies, even an empty one: so "all but the last STAGES - 2" includes this slice.
#pragma unroll
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < slices) {
      copy_a.issue(s, first_l + s * BLOCK_K);
      copy_b.issue(s, first_l + s * BLOCK_K);
    }
    copy_async_commit();
  }
  for (int s = 0; s < slices; s++) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();  // slice s has arrived for all, and all have finished with slice s - 1, which is replaced now
    const int ahead = s + STAGES - 1;
    if (ahead < slices) {
      copy_a.issue(ahead % STAGES, first_l + ahead * BLOCK_K);
      copy_b.issue(ahead % STAGES, first_l + ahead * BLOCK_K);
    }
    copy_async_commit();
    multiply(a_slices[s % STAGES], b_slices[s % STAGES]);
  }
}

// Where this thread's vectors are in the block's tile: vector v along m starts at thread_m() + v * LANES_M * VECTOR.
//
// Lane (m, n) of the 4 x 8 has number 16 * (m / 2) + 2 * n + m % 2. So neighbouring lanes (bit 0) read the same vector
// of B, and lanes two apart (bit 1) the same vector of A. Then shared memory serves half a warp at once, which
// otherwise takes two turns for vectors of 16 bytes. CUTLASS calls this order RowMajorInterleaved<2>.
__device__ __forceinline__ int thread_m() {
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  return warp / (BLOCK_N / WARP_N) * WARP_M + (lane / (2 * LANES_N) * 2 + lane % 2) * VECTOR;
}
__device__ __forceinline__ int thread_n() {
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  return warp % (BLOCK_N / WARP_N) * WARP_N + lane / 2 % LANES_N * VECTOR;
}

template <class A, class B>
__device__ __forceinline__ void multiply_tiles(const A& a, const B& b, int first_m, int first_n, int first_l, int end_l,
                                               scalar (&acc)[THREAD_M][THREAD_N]) {
  const int own_m = thread_m(), own_n = thread_n();
  for_each_slice(a, b, first_m, first_n, first_l, end_l, [&](auto a_slice, auto b_slice) {
#pragma unroll
    for (int l = 0; l < BLOCK_K; l++) {
      vector a_part[THREAD_M / VECTOR], b_part[THREAD_N / VECTOR];
#pragma unroll
      for (int v = 0; v < THREAD_M / VECTOR; v++) a_part[v] = *(const vector*)&a_slice[l][own_m + v * LANES_M * VECTOR];
#pragma unroll
      for (int v = 0; v < THREAD_N / VECTOR; v++) b_part[v] = *(const vector*)&b_slice[l][own_n + v * LANES_N * VECTOR];
      // acc[i][j] += A[m][l] * B[l][n]
#pragma unroll
      for (int i = 0; i < THREAD_M; i++)
#pragma unroll
        for (int j = 0; j < THREAD_N; j++)
          acc[i][j] += a_part[i / VECTOR].value[i % VECTOR] * b_part[j / VECTOR].value[j % VECTOR];
    }
  });
}

// c[m][n] = epilogue(acc) for the part of the tile that lies inside the matrix, whose rows are row_stride apart.
__device__ __forceinline__ void store_tile(const scalar (&acc)[THREAD_M][THREAD_N], scalar* c, size_t row_stride,
                                           int first_m, int first_n, int m_end, int n_end,
                                           const Epilogue& epilogue = {}) {
  const bool aligned = is_aligned(c) && row_stride % VECTOR == 0;
  scalar bias[THREAD_N];  // read once for all rows
#pragma unroll
  for (int j = 0; j < THREAD_N; j++)
    bias[j] = epilogue.bias_of(first_n + thread_n() + j / VECTOR * LANES_N * VECTOR + j % VECTOR, n_end);
#pragma unroll
  for (int i = 0; i < THREAD_M; i++) {
    const int m = first_m + thread_m() + i / VECTOR * LANES_M * VECTOR + i % VECTOR;
    if (m >= m_end) continue;
#pragma unroll
    for (int v = 0; v < THREAD_N / VECTOR; v++) {
      const int n = first_n + thread_n() + v * LANES_N * VECTOR;
      vector y;
#pragma unroll
      for (int j = 0; j < VECTOR; j++) y.value[j] = epilogue(acc[i][v * VECTOR + j], bias[v * VECTOR + j]);
      store(c + m * row_stride + n, y, n, n_end, aligned);
    }
  }
}
