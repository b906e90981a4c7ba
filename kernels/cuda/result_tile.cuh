// The parts of a product's kernel around its main loop: which tile of the result a block computes, and the epilogue
// that is applied to the sums as they are stored.
#pragma once
#include "common.cuh"

// The tile of this block. Blocks start in the order of their numbers, and those that run at the same time should share
// rows and columns in the L2 cache: so blocks are numbered through strips of ROWS_OF_TILES rows of tiles.
struct Position {
  int m, n;  // of the tile's first element
};
template <int HEIGHT, int WIDTH>
__device__ __forceinline__ Position tile_position() {
  constexpr int ROWS_OF_TILES = 16;
  const int number = blockIdx.y * gridDim.x + blockIdx.x, a_strip = ROWS_OF_TILES * gridDim.y;
  const int first = number / a_strip * ROWS_OF_TILES, height = min((int)gridDim.x - first, ROWS_OF_TILES);
  return {(first + number % a_strip % height) * HEIGHT, number % a_strip / height * WIDTH};
}

// y[m][n] = max(sum[m][n] + bias[n], 0), where bias and ReLU are both optional. Here they cost an instruction or two
// for each number; as kernels of their own, each would read and write the whole result again.
struct Epilogue {
  const scalar* bias = nullptr;
  bool relu = false;
  __device__ __forceinline__ scalar bias_of(int n, int n_end) const { return bias && n < n_end ? bias[n] : (scalar)0; }
  __device__ __forceinline__ scalar operator()(scalar sum, scalar bias_n) const {
    const scalar z = sum + bias_n;
    return relu && z <= 0 ? (scalar)0 : z;  // NaN is not <= 0 and stays
  }
};

// to[c] = y.value[c] for the columns n + c < n_end; in one store if all of them are and the address is aligned.
template <int COUNT>
__device__ __forceinline__ void store(scalar* to, const Numbers<COUNT>& y, int n, int n_end, bool aligned) {
  if (aligned && n + COUNT <= n_end) {
    *(Numbers<COUNT>*)to = y;
  } else {
#pragma unroll
    for (int c = 0; c < COUNT; c++)
      if (n + c < n_end) to[c] = y.value[c];
  }
}
