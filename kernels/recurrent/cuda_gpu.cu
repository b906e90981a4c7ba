// One time step of the recurrent layers, forward and backward, except for the matrix products. The formulas stand in
// __init__.py of this folder, and again over the lines that do them.
//
// A step is two launches: a product, q = h w_hh^T or dh = da w_hh (kernels/matmul), and one of these kernels. The input
// projection a = x w_ih^T, and the gradients of the weights, are one product for all steps. Compared with array
// expressions, some ten operations on biases, gates and state are one launch, which reads and writes each array once.
// One kernel for all steps, with w_hh in registers (Diamos et al., Persistent RNNs, 2016), would be faster still; it
// needs a barrier across the GPU and a w_hh that fits, and is not built here.
//
// Thread mapping: one thread per number of the state, e = n * hidden + j. Neighbouring threads are neighbouring units
// j, and the parts of a row (gates i, f, g, o) lie `hidden` numbers apart.
#include "common.cuh"

__device__ __forceinline__ scalar or_zero(const scalar* a, long long e) { return a ? a[e] : (scalar)0; }

// Finds this thread's e, n and j; returns false for a thread after the last number.
__device__ __forceinline__ bool own_number(int elements, int hidden, int& e, int& n, int& j) {
  e = blockIdx.x * blockDim.x + threadIdx.x;
  n = e / hidden;
  j = e - n * hidden;
  return e < elements;
}

// a and q (N, H), b_ih and b_hh (H,) or null -> y (N, H)
extern "C" __global__ void rnn_forward_step(const scalar* a, const scalar* q, const scalar* b_ih, const scalar* b_hh,
                                            scalar* y, int elements, int hidden, int relu) {
  int e, n, j;
  if (!own_number(elements, hidden, e, n, j)) return;
  // y[t] = tanh(x[t] w_ih^T + b_ih + h w_hh^T + b_hh), or relu for tanh
  const scalar sum = a[e] + or_zero(b_ih, j) + q[e] + or_zero(b_hh, j);
  y[e] = relu ? (sum <= 0 ? (scalar)0 : sum) : tanh(sum);
}

// dh, dy (N, H) or null; y (N, H) -> da (N, H)
extern "C" __global__ void rnn_backward_step(const scalar* dh, const scalar* dy, const scalar* y, scalar* da,
                                             int elements, int relu) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const scalar d = or_zero(dh, e) + or_zero(dy, e);
  // tanh'(a) = 1 - tanh(a)^2, relu'(a) = 1 where relu(a) > 0
  da[e] = relu ? (y[e] > 0 ? d : (scalar)0) : d * (1 - y[e] * y[e]);
}

// a and q (N, 4*H), biases (4*H,) or null, c_before (N, H) -> c, y (N, H), gates (N, 4*H)
extern "C" __global__ void lstm_forward_step(const scalar* a, const scalar* q, const scalar* b_ih, const scalar* b_hh,
                                             const scalar* c_before, scalar* c, scalar* y, scalar* gates, int elements,
                                             int hidden) {
  int e, n, j;
  if (!own_number(elements, hidden, e, n, j)) return;
  scalar sum[4];
#pragma unroll
  for (int part = 0; part < 4; part++) {
    const int unit = part * hidden + j;
    const long long at = (long long)n * 4 * hidden + unit;
    sum[part] = a[at] + or_zero(b_ih, unit) + q[at] + or_zero(b_hh, unit);
  }
  const scalar i = sigmoid(sum[0]), f = sigmoid(sum[1]), g = tanh(sum[2]), o = sigmoid(sum[3]);
  scalar* const own = gates + (long long)n * 4 * hidden + j;
  own[0] = i;
  own[hidden] = f;
  own[2 * hidden] = g;
  own[3 * hidden] = o;
  // c[t] = f * c[t-1] + i * g,  y[t] = o * tanh(c[t])
  const scalar cell = f * c_before[e] + i * g;
  c[e] = cell;
  y[e] = o * tanh(cell);
}

// dh, dy, dc (N, H) or null; c, c_before (N, H), gates (N, 4*H) -> da (N, 4*H), dc_before (N, H)
extern "C" __global__ void lstm_backward_step(const scalar* dh, const scalar* dy, const scalar* dc, const scalar* c,
                                              const scalar* c_before, const scalar* gates, scalar* da,
                                              scalar* dc_before, int elements, int hidden) {
  int e, n, j;
  if (!own_number(elements, hidden, e, n, j)) return;
  const long long row = (long long)n * 4 * hidden + j;
  const scalar i = gates[row], f = gates[row + hidden], g = gates[row + 2 * hidden], o = gates[row + 3 * hidden];
  const scalar d = or_zero(dh, e) + or_zero(dy, e), tanh_c = tanh(c[e]);
  // y = o * tanh(c), c = f * c_before + i * g, and s'(a) = s * (1 - s), tanh'(a) = 1 - tanh^2
  const scalar d_cell = or_zero(dc, e) + d * o * (1 - tanh_c * tanh_c);
  da[row] = d_cell * g * i * (1 - i);
  da[row + hidden] = d_cell * c_before[e] * f * (1 - f);
  da[row + 2 * hidden] = d_cell * i * (1 - g * g);
  da[row + 3 * hidden] = d * tanh_c * o * (1 - o);
  dc_before[e] = d_cell * f;
}

// a and q (N, 3*H), biases (3*H,) or null, h (N, H) -> y (N, H), gates (N, 4*H): r, z, n, q_n
extern "C" __global__ void gru_forward_step(const scalar* a, const scalar* q, const scalar* b_ih, const scalar* b_hh,
                                            const scalar* h, scalar* y, scalar* gates, int elements, int hidden) {
  int e, n, j;
  if (!own_number(elements, hidden, e, n, j)) return;
  scalar of_input[3], of_state[3];
#pragma unroll
  for (int part = 0; part < 3; part++) {
    const int unit = part * hidden + j;
    const long long at = (long long)n * 3 * hidden + unit;
    of_input[part] = a[at] + or_zero(b_ih, unit);
    of_state[part] = q[at] + or_zero(b_hh, unit);
  }
  // r, z = s(a_r + q_r), s(a_z + q_z);  n = tanh(a_n + r * q_n)
  const scalar r = sigmoid(of_input[0] + of_state[0]), z = sigmoid(of_input[1] + of_state[1]);
  const scalar candidate = tanh(of_input[2] + r * of_state[2]);
  // y[t] = (1 - z) * n + z * h
  y[e] = (1 - z) * candidate + z * h[e];
  scalar* const own = gates + (long long)n * 4 * hidden + j;
  own[0] = r;
  own[hidden] = z;
  own[2 * hidden] = candidate;
  own[3 * hidden] = of_state[2];
}

// dh, direct, dy (N, H) or null; h (N, H), gates (N, 4*H) -> da, dq (N, 3*H), direct_before (N, H): the gradient of h
// through z * h, which does not go through the product
extern "C" __global__ void gru_backward_step(const scalar* dh, const scalar* direct, const scalar* dy, const scalar* h,
                                             const scalar* gates, scalar* da, scalar* dq, scalar* direct_before,
                                             int elements, int hidden) {
  int e, n, j;
  if (!own_number(elements, hidden, e, n, j)) return;
  const long long saved = (long long)n * 4 * hidden + j, row = (long long)n * 3 * hidden + j;
  const scalar r = gates[saved], z = gates[saved + hidden], candidate = gates[saved + 2 * hidden];
  const scalar q_n = gates[saved + 3 * hidden];
  const scalar d = or_zero(dh, e) + or_zero(direct, e) + or_zero(dy, e);
  // y = (1 - z) * n + z * h, n = tanh(a_n + r * q_n)
  const scalar da_n = d * (1 - z) * (1 - candidate * candidate);
  const scalar da_z = d * (h[e] - candidate) * z * (1 - z), da_r = da_n * q_n * r * (1 - r);
  da[row] = dq[row] = da_r;
  da[row + hidden] = dq[row + hidden] = da_z;
  da[row + 2 * hidden] = da_n;
  dq[row + 2 * hidden] = da_n * r;
  direct_before[e] = d * z;
}
