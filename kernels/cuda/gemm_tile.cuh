// The main loop of a fast matrix product on CUDA cores, shared by matmul and conv2d:
//
//     acc[i][j] += sum_l A[m][l] * B[l][n]        for a tile of BLOCK_M x BLOCK_N elements (m, n) of the result
//
// Who computes what. The block's tile is cut into warp tiles of 4 x 8 lanes; each lane owns THREAD_M x THREAD_N results
// in registers, in vectors of 16 bytes that lie 4 (or 8) vectors apart. For one l a lane then reads THREAD_M + THREAD_N
// numbers from shared memory, in vectors and without bank conflicts, and does THREAD_M * THREAD_N multiply-adds with
// them: 64 for 16 numbers with 8 x 8, which is what keeps the arithmetic units busy. A multiprocessor starts one
// instruction of a warp for each multiply-add that it can finish, so every other instruction costs one.
//
// Who fetches what. A slice of BLOCK_K values of l, tile[l][m] of A and tile[l][n] of B, is copied into shared memory
// asynchronously, STAGES - 1 slices ahead of the arithmetic, so that the trip to memory (hundreds of cycles) passes
// behind it. One barrier a slice is enough: it says that this slice has arrived for all threads, and also that all have
// finished with the one before, whose place the next copies take.
//
// An operand says where its elements are, so that a matrix that exists only as a rule (the patches of an image) is as
// good as one in memory. For rows beyond its end it names any other: what comes of them is not stored.
//
//     struct Operand {
//       static constexpr bool ALONG_L;               // do neighbouring l lie next to each other, or neighbouring m (n)?
//       bool in_vectors() const;                     // if m (n): may they be copied VECTOR at a time?
//       Row row(int m) const;                        // what can be said of m alone: computed once for the whole loop
//       Column column(int l) const;                  // what can be said of l alone: once a slice
//       bool inside(Row, Column) const;              // false for a zero
//       const scalar* at(Row, Column) const;         // the element, looked at only where inside
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

// Blocks that a multiprocessor should hold, by the registers that the results of one thread take: it has 65536. Without
// this hint an operand of many numbers costs a few registers too many for a second block of the largest tile.
constexpr int RESULT_REGISTERS = THREAD_M * THREAD_N * sizeof(scalar) / 4;
constexpr int BLOCKS_AT_ONCE = RESULT_REGISTERS >= 64 && THREADS >= 256 ? 2 : RESULT_REGISTERS >= 32 ? 3 : 4;

// Unused numbers at the end of a row of a slice: with one vector, copies that step through l fall into different banks.
#ifndef PAD
#define PAD VECTOR
#endif

// The operand that is a matrix in memory, `stride` between neighbours on the axis that is not contiguous. In matmul,
// the constants A_ALONG_L and B_ALONG_L say which matrix is contiguous along l: by default a is and b is not.
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

// Copies slices of one operand; neighbouring threads take elements that are neighbours in memory. What stays the same
// from slice to slice is kept in registers: an instruction saved here is a multiply-add won.
template <int BLOCK, class Operand>
struct SliceCopy {
  static constexpr bool ALONG_L = Operand::ALONG_L;
  static constexpr int ROW_STEP = THREADS / BLOCK_K;  // between a thread's copies along l, which lie in several rows
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
      if (L_STEP <= BLOCK_K || l < BLOCK_K)  // vectors of a small tile are fewer than threads
        copy<WIDTH>(here + step * ROW_BYTES, rows[0], operand.column(first_l + step));
  }

  template <int WIDTH>
  __device__ __forceinline__ void copy(SharedAddress here, const typename Operand::Row& row,
                                       const typename Operand::Column& column) const {
    copy_async<WIDTH * sizeof(scalar)>(here, operand.at(row, column), operand.inside(row, column));
  }
};

// Calls multiply(a_slice, b_slice) for every slice from first_l (a multiple of BLOCK_K) up to end_l, while the next
// slices are on their way. Operands give zeros beyond their own end.
template <class A, class B, class Multiply>
__device__ __forceinline__ void for_each_slice(const A& a, const B& b, int first_m, int first_n, int first_l, int end_l,
                                               Multiply multiply) {
  __shared__ __align__(16) scalar a_slices[STAGES][BLOCK_K][BLOCK_M + PAD];
  __shared__ __align__(16) scalar b_slices[STAGES][BLOCK_K][BLOCK_N + PAD];
  const SliceCopy<BLOCK_M, A> copy_a(a, &a_slices[0][0][0], first_m);
  const SliceCopy<BLOCK_N, B> copy_b(b, &b_slices[0][0][0], first_n);
  const int slices = (end_l - first_l + BLOCK_K - 1) / BLOCK_K;

  // Each turn closes one group of copies, be it empty, so that "all but the last STAGES - 2" always means this slice.
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

// Where this thread's vectors are in the block's tile: vector v of m starts at thread_m() + v * LANES_M * VECTOR.
//
// Lanes are numbered in pairs: lane = 16 * (m / 2) + 2 * n + m % 2. Reading B, neighbouring lanes (bit 0) share a vector,
// reading A those two apart (bit 1) do; either lets shared memory serve half a warp at once, which otherwise takes two
// turns for vectors of 16 bytes. CUTLASS calls this order RowMajorInterleaved<2>.
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
