// Images in the other memory order: for each image a matrix is turned, y[column][row] = x[row][column].
//
// Channels last to channels first turns (pixels, channels), and the way back (channels, pixels).
//
// Thread mapping: a block of 32 x 8 threads turns a tile of 32 x 32. Each thread row reads rows of the tile,
// neighbouring lanes neighbouring numbers, into shared memory; after the barrier lanes take a column of it, and write
// neighbouring numbers of y. A simpler version has each thread read x and write y: one of the two is then `rows`
// numbers apart from lane to lane, and moves 32 bytes for 4. The 33rd column of the tile is there so that the 32
// numbers of a column lie in 32 different banks of the shared memory.
//
// Read: Harris, An Efficient Matrix Transpose in CUDA C/C++, NVIDIA, 2013.
#include "common.cuh"

constexpr int TILE = 32, ROWS = 8;

// Blocks: tiles of one image along x, images along y.
extern "C" __global__ void __launch_bounds__(TILE * ROWS)
transpose_images(const scalar* x, scalar* y, int rows, int columns) {
  __shared__ scalar tile[TILE][TILE + 1];
  const int tiles_across = (columns + TILE - 1) / TILE;
  const int first_row = blockIdx.x / tiles_across * TILE, first_column = blockIdx.x % tiles_across * TILE;
  const size_t image = (size_t)blockIdx.y * rows * columns;
  for (int i = threadIdx.y; i < TILE; i += ROWS) {
    const int row = first_row + i, column = first_column + threadIdx.x;
    if (row < rows && column < columns) tile[i][threadIdx.x] = x[image + (size_t)row * columns + column];
  }
  __syncthreads();
  for (int i = threadIdx.y; i < TILE; i += ROWS) {
    const int row = first_row + threadIdx.x, column = first_column + i;
    if (row < rows && column < columns) y[image + (size_t)column * rows + row] = tile[threadIdx.x][i];
  }
}
