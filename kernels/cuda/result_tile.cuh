// What the kernel of a product does around its main loop: which tile of the result is this block's, and what becomes of
// a finished sum on its way to memory.
#pragma once
#include "common.cuh"

// The tile of this block. Blocks start in the order of their number, those that run together should need the same rows
// and columns, so that the second-level cache serves most of them: they go through strips of ROWS_OF_TILES tiles.
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

// The epilogue: y[m][n] = max(sum[m][n] + bias[n], 0), with or without either. It costs an instruction or two for each
// number of the result; as kernels of their own, bias and ReLU each read and write the whole of it again.
struct Epilogue {
  const scalar* bias = nullptr;
  bool relu = false;
  __device__ __forceinline__ scalar bias_of(int n, int n_end) const { return bias && n < n_end ? bias[n] : (scalar)0; }
  __device__ __forceinline__ scalar operator()(scalar sum, scalar bias_n) const {
    const scalar z = sum + bias_n;
    return relu && z <= 0 ? (scalar)0 : z;  // NaN is not <= 0 and stays
  }
};

// to[c] = y.value[c] for the columns n + c before n_end; in one store where they are all there and `aligned`.
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
