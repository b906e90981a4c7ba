// Activations, number by number: y = f(x), and dx = dy * f'. The formulas stand in one place each, below.
//
// Thread mapping: a thread takes 16 bytes, 4 floats or 2 doubles, which it reads and writes with one instruction each;
// neighbouring threads take neighbouring 16 bytes. Where an array does not start at a multiple of 16 bytes, and at the
// end, it goes number by number. A simpler version takes one number a thread: four times the instructions for the same
// bytes, and bytes are all that counts here. What it saves on an expression of the array library: tanh's gradient,
// dy * (1 - y * y), reads two arrays and writes one, where three operations would write two more and read them again.
#include "common.cuh"

template <class Formula>
__device__ __forceinline__ void map(const scalar* x, scalar* y, long long n, Formula formula) {
  const long long first = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * VECTOR;
  if (first + VECTOR <= n && is_aligned(x) && is_aligned(y)) {
    vector values = *(const vector*)(x + first);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) values.value[i] = formula(values.value[i]);
    *(vector*)(y + first) = values;
  } else {
    for (long long e = first; e < n && e < first + VECTOR; e++) y[e] = formula(x[e]);
  }
}

template <class Formula>
__device__ __forceinline__ void map(const scalar* dy, const scalar* x, scalar* dx, long long n, Formula formula) {
  const long long first = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * VECTOR;
  if (first + VECTOR <= n && is_aligned(dy) && is_aligned(x) && is_aligned(dx)) {
    const vector gradients = *(const vector*)(dy + first);
    vector values = *(const vector*)(x + first);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) values.value[i] = formula(gradients.value[i], values.value[i]);
    *(vector*)(dx + first) = values;
  } else {
    for (long long e = first; e < n && e < first + VECTOR; e++) dx[e] = formula(dy[e], x[e]);
  }
}

// P(x) = (1 + erf(x / sqrt(2))) / 2, how probable it is that a standard normal number lies below x.
__device__ __forceinline__ scalar normal_below(scalar x) {
  return (scalar)0.5 * erfc(x * (scalar)-0.7071067811865476);
}
// P'(x) = e^(-x^2/2) / sqrt(2 * pi)
__device__ __forceinline__ scalar normal_density(scalar x) {
  return exp(x * x * (scalar)-0.5) * (scalar)0.3989422804014327;
}

// 2u and its slope, u = sqrt(2/pi) * (x + 0.044715 * x^3)
constexpr double TWO_ROOT = 1.5957691216057308;  // 2 * sqrt(2/pi)
__device__ __forceinline__ scalar gelu_argument(scalar x) {
  return (scalar)TWO_ROOT * (x + (scalar)0.044715 * x * x * x);
}
__device__ __forceinline__ scalar gelu_slope(scalar x) {
  return (scalar)TWO_ROOT * (1 + (scalar)0.134145 * x * x);
}

// min(max(x + 3, 0), 6) / 6, and NaN for NaN
__device__ __forceinline__ scalar hardsigmoid(scalar x) {
  return x <= -3 ? (scalar)0 : x >= 3 ? (scalar)1 : (x + 3) / 6;
}

// min(max(x, low), high), NaN where one of the three is
__device__ __forceinline__ scalar clip(scalar x, scalar low, scalar high) {
  const scalar y = x >= low || x != x ? x : low;
  return y <= high || y != y ? y : high;
}

extern "C" __global__ void relu_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return x <= 0 ? (scalar)0 : x; });
}
extern "C" __global__ void relu_backward(const scalar* dy, const scalar* y, scalar* dx, long long n) {
  map(dy, y, dx, n, [](scalar dy, scalar y) { return y <= 0 ? (scalar)0 : dy; });
}
extern "C" __global__ void leaky_relu_forward(const scalar* x, scalar* y, long long n, scalar slope) {
  map(x, y, n, [=](scalar x) { return x > 0 ? x : slope * x; });
}
extern "C" __global__ void leaky_relu_backward(const scalar* dy, const scalar* x, scalar* dx, long long n,
                                               scalar slope) {
  map(dy, x, dx, n, [=](scalar dy, scalar x) { return x > 0 ? dy : slope * dy; });
}
extern "C" __global__ void elu_forward(const scalar* x, scalar* y, long long n, scalar alpha) {
  map(x, y, n, [=](scalar x) { return x > 0 ? x : alpha * expm1(x); });
}
extern "C" __global__ void elu_backward(const scalar* dy, const scalar* x, scalar* dx, long long n, scalar alpha) {
  map(dy, x, dx, n, [=](scalar dy, scalar x) { return x > 0 ? dy : dy * alpha * exp(x); });
}
extern "C" __global__ void tanh_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return tanh(x); });
}
extern "C" __global__ void tanh_backward(const scalar* dy, const scalar* y, scalar* dx, long long n) {
  map(dy, y, dx, n, [](scalar dy, scalar y) { return dy * (1 - y * y); });
}
extern "C" __global__ void sigmoid_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return sigmoid(x); });
}
extern "C" __global__ void sigmoid_backward(const scalar* dy, const scalar* y, scalar* dx, long long n) {
  map(dy, y, dx, n, [](scalar dy, scalar y) { return dy * (y * (1 - y)); });
}
extern "C" __global__ void silu_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return x * sigmoid(x); });
}
extern "C" __global__ void silu_backward(const scalar* dy, const scalar* x, scalar* dx, long long n) {
  map(dy, x, dx, n, [](scalar dy, scalar x) {
    const scalar s = sigmoid(x);
    return dy * (s * (1 + x * (1 - s)));
  });
}
extern "C" __global__ void gelu_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return x * normal_below(x); });
}
extern "C" __global__ void gelu_backward(const scalar* dy, const scalar* x, scalar* dx, long long n) {
  map(dy, x, dx, n, [](scalar dy, scalar x) { return dy * (normal_below(x) + x * normal_density(x)); });
}
extern "C" __global__ void gelu_tanh_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return x * sigmoid(gelu_argument(x)); });
}
extern "C" __global__ void gelu_tanh_backward(const scalar* dy, const scalar* x, scalar* dx, long long n) {
  map(dy, x, dx, n, [](scalar dy, scalar x) {
    const scalar s = sigmoid(gelu_argument(x));
    return dy * (s * (1 + x * (1 - s) * gelu_slope(x)));
  });
}
extern "C" __global__ void hardsigmoid_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return hardsigmoid(x); });
}
extern "C" __global__ void hardsigmoid_backward(const scalar* dy, const scalar* x, scalar* dx, long long n) {
  map(dy, x, dx, n, [](scalar dy, scalar x) { return x > -3 && x < 3 ? dy / 6 : (scalar)0; });
}
extern "C" __global__ void hardswish_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return x * hardsigmoid(x); });
}
extern "C" __global__ void hardswish_backward(const scalar* dy, const scalar* x, scalar* dx, long long n) {
  map(dy, x, dx, n, [](scalar dy, scalar x) {
    return x <= -3 ? (scalar)0 : x >= 3 ? dy : dy * (x / 3 + (scalar)0.5);
  });
}
extern "C" __global__ void clip_forward(const scalar* x, scalar* y, long long n, scalar low, scalar high) {
  map(x, y, n, [=](scalar x) { return clip(x, low, high); });
}
extern "C" __global__ void clip_backward(const scalar* dy, const scalar* x, scalar* dx, long long n, scalar low,
                                         scalar high) {
  map(dy, x, dx, n, [=](scalar dy, scalar x) { return x >= low && x <= high ? dy : (scalar)0; });
}
extern "C" __global__ void hardtanh_backward(const scalar* dy, const scalar* x, scalar* dx, long long n, scalar low,
                                             scalar high) {
  map(dy, x, dx, n, [=](scalar dy, scalar x) { return x > low && x < high ? dy : (scalar)0; });
}
extern "C" __global__ void huber_forward(const scalar* x, scalar* y, long long n, scalar delta) {
  map(x, y, n, [=](scalar x) {
    const scalar c = clip(x, -delta, delta);
    return c * (x - c / 2);
  });
}
extern "C" __global__ void huber_backward(const scalar* dy, const scalar* x, scalar* dx, long long n, scalar delta) {
  map(dy, x, dx, n, [=](scalar dy, scalar x) { return dy * clip(x, -delta, delta); });
}
extern "C" __global__ void erf_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return erf(x); });
}
extern "C" __global__ void softplus_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return (x > 0 ? x : (scalar)0) + log1p(exp(x > 0 ? -x : x)); });
}
extern "C" __global__ void exp_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return exp(x); });
}
extern "C" __global__ void expm1_forward(const scalar* x, scalar* y, long long n) {
  map(x, y, n, [](scalar x) { return expm1(x); });
}
