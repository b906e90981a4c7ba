// Optimizer steps: all parameters of a network, however many arrays, in one launch. The formulas stand in __init__.py
// of this folder, and again over the lines that do them.
//
// Thread mapping: a block takes `share` numbers of one array; a large array has many blocks, a small one has one. A
// table in memory has a row for each array, with its addresses and its first block; a block finds its row by bisection.
//
// Why not one launch per array: a small network has dozens of arrays of a few hundred numbers, and a launch costs more
// than the work on one of them. Why not array expressions: each of their operations would read and write w, dw or the
// state again; here each is read and written once.
#include "common.cuh"

constexpr int BLOCK = 256;
constexpr int ROOMY = 4;  // blocks on a multiprocessor: for more, the compiler would spill registers of some steps

struct Row {
  scalar* w;
  const scalar* dw;
  scalar* state[3];  // null where the step has none
  long long size, first_block;
};
static_assert(sizeof(Row) == 7 * 8, "the host writes rows of 7 numbers of 64 bits");

// dw + weight_decay * w; without decay nothing is added, which matters where w is infinite: 0 * inf is NaN.
__device__ __forceinline__ scalar decayed(scalar dw, scalar w, scalar weight_decay) {
  return weight_decay != 0 ? dw + weight_decay * w : dw;
}

// w = step(w, dw, state), number by number. All is read before anything is written, so a thread waits for memory once;
// for __restrict__ see normalization/cuda_gpu.cu.
template <int STATES, class Step>
__device__ __forceinline__ void update(scalar* __restrict__ w, const scalar* __restrict__ dw,
                                       scalar* __restrict__ state_0, scalar* __restrict__ state_1,
                                       scalar* __restrict__ state_2, long long begin, long long stop, Step step) {
  for (long long e = begin + threadIdx.x; e < stop; e += BLOCK) {
    scalar state[3];
    if (state_0) state[0] = state_0[e];
    if (STATES > 1 && state_1) state[1] = state_1[e];
    if (STATES > 2 && state_2) state[2] = state_2[e];
    w[e] = step(w[e], dw[e], state);
    if (state_0) state_0[e] = state[0];
    if (STATES > 1 && state_1) state_1[e] = state[1];
    if (STATES > 2 && state_2) state_2[e] = state[2];
  }
}

// STATES: how many kinds of state the step has at most.
template <int STATES, class Step>
__device__ __forceinline__ void for_each_number(const long long* table, int arrays, int share, Step step) {
  const Row* const rows = (const Row*)table;
  // Find the last row whose first block is this one or before; an empty array has the first block of the next one.
  int own = 0, end = arrays;
  while (end - own > 1) {
    const int middle = (own + end) / 2;
    (rows[middle].first_block <= blockIdx.x ? own : end) = middle;
  }
  const Row row = rows[own];
  const long long begin = (blockIdx.x - row.first_block) * share, stop = min(row.size, begin + share);
  update<STATES>(row.w, row.dw, row.state[0], row.state[1], row.state[2], begin, stop,
                 [=](scalar w, scalar dw, scalar* state) { return step(row, state, w, dw); });
}

// state: v. undamped = 1 - dampening
extern "C" __global__ void __launch_bounds__(BLOCK)
sgd_step(const long long* table, int arrays, int share, scalar lr, scalar momentum, scalar undamped,
         scalar weight_decay, int nesterov) {
  for_each_number<1>(table, arrays, share, [=](const Row& row, scalar* state, scalar w, scalar dw) {
    // dw = dw + weight_decay * w
    dw = decayed(dw, w, weight_decay);
    if (row.state[0]) {
      // v = momentum * v + (1 - dampening) * dw
      const scalar v = momentum * state[0] + undamped * dw;
      state[0] = v;
      dw = nesterov ? dw + momentum * v : v;
    }
    // w = w - lr * v
    return w - lr * dw;
  });
}

// state: m, v, h. step_size = lr / (1 - beta1^t), root = sqrt(1 - beta2^t); rest1 = 1 - beta1, rest2 = 1 - beta2;
// kept = 1 - lr * weight_decay of the decoupled decay (AdamW), else 1
extern "C" __global__ void __launch_bounds__(BLOCK, ROOMY)
adam_step(const long long* table, int arrays, int share, scalar step_size, scalar root, scalar beta1, scalar rest1,
          scalar beta2, scalar rest2, scalar eps, scalar weight_decay, scalar kept) {
  for_each_number<3>(table, arrays, share, [=](const Row& row, scalar* state, scalar w, scalar dw) {
    // w = w - lr * weight_decay * w, or dw = dw + weight_decay * w
    w *= kept;
    dw = decayed(dw, w, weight_decay);
    // m = beta1 * m + (1 - beta1) * dw
    const scalar m = beta1 * state[0] + rest1 * dw;
    state[0] = m;
    // v = beta2 * v + (1 - beta2) * dw^2
    scalar v = beta2 * state[1] + rest2 * (dw * dw);
    state[1] = v;
    if (row.state[2]) {
      // h = max(h, v), which replaces v
      v = state[2] > v ? state[2] : v;
      state[2] = v;
    }
    // w = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
    return w - step_size * m / (sqrt(v) / root + eps);
  });
}

// state: v, g, b. rest = 1 - alpha
extern "C" __global__ void __launch_bounds__(BLOCK)
rmsprop_step(const long long* table, int arrays, int share, scalar lr, scalar alpha, scalar rest, scalar eps,
             scalar weight_decay, scalar momentum) {
  for_each_number<3>(table, arrays, share, [=](const Row& row, scalar* state, scalar w, scalar dw) {
    // dw = dw + weight_decay * w
    dw = decayed(dw, w, weight_decay);
    // v = alpha * v + (1 - alpha) * dw^2
    scalar v = alpha * state[0] + rest * (dw * dw);
    state[0] = v;
    if (row.state[1]) {
      // g = alpha * g + (1 - alpha) * dw, and max(v - g^2, 0) replaces v
      const scalar g = alpha * state[1] + rest * dw;
      state[1] = g;
      v -= g * g;
      if (v < 0) v = 0;  // a variance, negative only by rounding
    }
    // u = dw / (sqrt(v) + eps)
    scalar u = dw / (sqrt(v) + eps);
    if (row.state[2]) {
      // b = momentum * b + u, which replaces u
      u = momentum * state[2] + u;
      state[2] = u;
    }
    // w = w - lr * u
    return w - lr * u;
  });
}

// state: s. step_size = lr / (1 + (t - 1) * lr_decay)
extern "C" __global__ void __launch_bounds__(BLOCK, ROOMY)
adagrad_step(const long long* table, int arrays, int share, scalar step_size, scalar eps, scalar weight_decay) {
  for_each_number<1>(table, arrays, share, [=](const Row&, scalar* state, scalar w, scalar dw) {
    // dw = dw + weight_decay * w
    dw = decayed(dw, w, weight_decay);
    // s = s + dw^2
    const scalar s = state[0] + dw * dw;
    state[0] = s;
    // w = w - lr / (1 + (t - 1) * lr_decay) * dw / (sqrt(s) + eps)
    return w - step_size * dw / (sqrt(s) + eps);
  });
}
