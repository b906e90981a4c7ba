// Dropout: y[i] = x[i] / (1 - p) where u(i, key) >= p, else 0.
//
// u(i, key) is word i % 4 of Philox4x32-10 for counter i // 4, divided by 2^32. Each thread computes the numbers that
// it needs from their index, so they are the same as on the CPU, in any memory order, and backward computes them again
// instead of reading a mask. A generator with a state per thread would give numbers that depend on the grid.
//
// Thread mapping: in the order of the axes, a thread takes the four numbers that one counter gives, as vectors where
// the arrays are aligned, so that accesses are coalesced. Channels last in memory, these four are far apart: there a
// thread takes one number and discards three words, so that neighbouring threads still access neighbours. Philox is
// some 100 integer instructions, for four numbers in the first case and for one in the second.
//
// Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.
#include "common.cuh"

constexpr unsigned MULTIPLIER_A = 0xD2511F53u, MULTIPLIER_B = 0xCD9E8D57u;  // of the rounds
constexpr unsigned WEYL_A = 0x9E3779B9u, WEYL_B = 0xBB67AE85u;              // added to the key after each round
constexpr int ROUNDS = 10, WORDS = 4;

struct Words {
  unsigned word[WORDS];
};

__device__ __forceinline__ Words philox(unsigned long long counter, unsigned key_low, unsigned key_high) {
  unsigned x0 = (unsigned)counter, x1 = (unsigned)(counter >> 32), x2 = 0, x3 = 0;
#pragma unroll
  for (int round = 0; round < ROUNDS; round++) {
    const unsigned a_low = x0 * MULTIPLIER_A, a_high = __umulhi(x0, MULTIPLIER_A);
    const unsigned b_low = x2 * MULTIPLIER_B, b_high = __umulhi(x2, MULTIPLIER_B);
    x0 = b_high ^ x1 ^ key_low;
    x1 = b_low;
    x2 = a_high ^ x3 ^ key_high;
    x3 = a_low;
    key_low += WEYL_A;
    key_high += WEYL_B;
  }
  return {{x0, x1, x2, x3}};
}

// x in the order of its axes: number i is x[i].
extern "C" __global__ void dropout_in_order(const scalar* x, scalar* y, long long n, unsigned threshold, scalar scale,
                                            unsigned key_low, unsigned key_high) {
  const long long counter = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (counter * WORDS >= n) return;
  const Words words = philox(counter, key_low, key_high);
  const long long first = counter * WORDS;
  if (first + WORDS <= n && is_aligned(x) && is_aligned(y)) {
#pragma unroll
    for (int w = 0; w < WORDS; w += VECTOR) {
      vector values = *(const vector*)(x + first + w);
#pragma unroll
      for (int i = 0; i < VECTOR; i++)
        values.value[i] = words.word[w + i] >= threshold ? values.value[i] * scale : (scalar)0;
      *(vector*)(y + first + w) = values;
    }
  } else {
#pragma unroll
    for (int w = 0; w < WORDS; w++)
      if (first + w < n) y[first + w] = words.word[w] >= threshold ? x[first + w] * scale : (scalar)0;
  }
}

// Channels last: element e in memory, (image, pixel, channel), is number first + i, i = (image, channel, pixel). The
// host cuts a batch so that i fits into 32 bits, where a division costs a quarter of one in 64 bits.
extern "C" __global__ void dropout_channels_last(const scalar* x, scalar* y, int n, long long first, int channels,
                                                 int pixels, unsigned threshold, scalar scale, unsigned key_low,
                                                 unsigned key_high) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= n) return;
  const int image_pixel = e / channels, image = image_pixel / pixels;
  const int channel = e - image_pixel * channels, pixel = image_pixel - image * pixels;
  const unsigned long long number = first + (image * channels + channel) * pixels + pixel;
  const Words words = philox(number / WORDS, key_low, key_high);
  const int which = number % WORDS;
  const unsigned low = which % 2 ? words.word[1] : words.word[0], high = which % 2 ? words.word[3] : words.word[2];
  const unsigned word = which < 2 ? low : high;  // word[which] would move the array from registers to memory
  y[e] = word >= threshold ? x[e] * scale : (scalar)0;
}
