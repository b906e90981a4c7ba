// Images in the other memory order: for each image, the transpose of a matrix, y[column][row] = x[row][column]. From
// channels last to first the matrix is (pixels, channels), from channels first to last (channels, pixels).
//
// Thread mapping: a block of 32 x 8 threads transposes a tile of 32 x 32. Each thread row reads rows of the tile into
// shared memory, neighbouring lanes neighbouring numbers; after the barrier, the lanes read a column of it and write
// neighbouring numbers of y. Without shared memory, either the reads or the writes of neighbouring lanes would be
// `rows` or `columns` numbers apart, and move 32 bytes for each 4. The tile has a 33rd column so that the 32 numbers of
// a column are in 32 different banks of shared memory.
//
// Read: Harris, An Efficient Matrix Transpose in CUDA C/C++, NVIDIA, 2013.
#include "common.cuh"

constexpr int TILE = 32, ROWS = 8;

// blockIdx.x is the tile, blockIdx.y the image.
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
