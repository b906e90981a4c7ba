// CUDA C for g++: included before an unchanged .cu file, so that it compiles as C++ and calls the emulator's runtime.
#pragma once
#include <math.h>

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "../runtime/interface.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define EMULATOR_UNCHECKED __attribute__((no_sanitize("thread")))

#define threadIdx emulator_thread_index()
#define blockIdx emulator_block_index()
#define blockDim emulator_block_size()
#define gridDim emulator_grid_size()
constexpr int warpSize = 32;

// ---- vector types, aligned as CUDA aligns them ----
#define EMULATOR_VECTOR(T, NAME)                                                                  \
  struct alignas(2 * sizeof(T)) NAME##2 { T x, y; };                                              \
  struct NAME##3 { T x, y, z; };                                                                  \
  struct alignas(sizeof(T) < 4 ? 4 * sizeof(T) : 16) NAME##4 { T x, y, z, w; };                   \
  inline NAME##2 make_##NAME##2(T x, T y) { return {x, y}; }                                      \
  inline NAME##3 make_##NAME##3(T x, T y, T z) { return {x, y, z}; }                              \
  inline NAME##4 make_##NAME##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATOR_VECTOR(float, float)
EMULATOR_VECTOR(double, double)
EMULATOR_VECTOR(int, int)
EMULATOR_VECTOR(unsigned char, uchar)
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };

template <class To, class From>
inline To emulator_bits(From from) {
  To to{};
  memcpy(&to, &from, sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
  return to;
}

// ---- barriers, shuffles, votes ----
inline unsigned emulator_mask(unsigned mask = 0xffffffffu) { return mask; }
inline int emulator_width(int width = 32) { return width; }
#define __syncthreads() emulator_sync_block(__LINE__)
#define __syncwarp(...) emulator_sync_warp(emulator_mask(__VA_ARGS__), __LINE__)
#define __ballot_sync(mask, predicate) emulator_ballot(mask, (predicate) != 0, __LINE__)
#define __any_sync(mask, predicate) (emulator_ballot(mask, (predicate) != 0, __LINE__) != 0)
#define __all_sync(mask, predicate) (emulator_ballot(mask, (predicate) == 0, __LINE__) == 0)
#define __activemask() emulator_active_mask()

template <class T>
inline T emulator_shuffle_value(unsigned mask, T value, int source_lane, int line) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
  return emulator_bits<T>(emulator_shuffle(mask, emulator_bits<uint64_t>(value), source_lane, line));
}
// Lanes work in segments of `width`; a source outside the own segment leaves the value as it was.
inline int emulator_segment_end(int width) { return (emulator_lane() & ~(width - 1)) + width; }
inline int emulator_lane_at(int lane, int width) { return (emulator_lane() & ~(width - 1)) + (lane & (width - 1)); }
inline int emulator_lane_up(int delta, int width) {
  return emulator_lane() - delta >= emulator_segment_end(width) - width ? emulator_lane() - delta : -1;
}
inline int emulator_lane_down(int delta, int width) {
  return emulator_lane() + delta < emulator_segment_end(width) ? emulator_lane() + delta : -1;
}
inline int emulator_lane_xor(int bits, int width) {
  return (emulator_lane() ^ bits) < emulator_segment_end(width) ? emulator_lane() ^ bits : -1;
}
#define EMULATOR_SHUFFLE(mask, value, which, by, ...) \
  emulator_shuffle_value(mask, value, emulator_lane_##which(by, emulator_width(__VA_ARGS__)), __LINE__)
#define __shfl_sync(mask, value, lane, ...) EMULATOR_SHUFFLE(mask, value, at, lane, __VA_ARGS__)
#define __shfl_up_sync(mask, value, delta, ...) EMULATOR_SHUFFLE(mask, value, up, delta, __VA_ARGS__)
#define __shfl_down_sync(mask, value, delta, ...) EMULATOR_SHUFFLE(mask, value, down, delta, __VA_ARGS__)
#define __shfl_xor_sync(mask, value, bits, ...) EMULATOR_SHUFFLE(mask, value, xor, bits, __VA_ARGS__)

// ---- atomics: fibers never interrupt each other, so a read and a write that the checker knows of are enough ----
template <class T, class Update>
inline T emulator_update(T* address, Update update) {
  const T old = emulator_bits<T>(emulator_atomic_read(address, sizeof(T)));
  emulator_atomic_write(address, emulator_bits<uint64_t>(T(update(old))), sizeof(T));
  return old;
}
#define EMULATOR_ATOMIC(NAME, NEW_VALUE)                    \
  template <class T>                                        \
  inline T NAME(T* address, std::common_type_t<T> value) {  \
    return emulator_update(address, [&](T old) { return NEW_VALUE; }); \
  }
EMULATOR_ATOMIC(atomicAdd, old + value)
EMULATOR_ATOMIC(atomicSub, old - value)
EMULATOR_ATOMIC(atomicMax, old < value ? value : old)
EMULATOR_ATOMIC(atomicMin, value < old ? value : old)
EMULATOR_ATOMIC(atomicExch, value)
EMULATOR_ATOMIC(atomicOr, old | value)
EMULATOR_ATOMIC(atomicAnd, old& value)
template <class T>
inline T atomicCAS(T* address, std::common_type_t<T> compare, std::common_type_t<T> value) {
  return emulator_update(address, [&](T old) { return old == compare ? value : old; });
}

// ---- functions that CUDA has and C++ has not ----
template <class T> inline T __ldg(const T* address) { return *address; }
inline int __float_as_int(float x) { return emulator_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emulator_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emulator_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emulator_bits<float>(x); }
inline long long __double_as_longlong(double x) { return emulator_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return emulator_bits<double>(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __saturatef(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }
inline void __threadfence() {}
inline void __threadfence_block() {}
template <class A, class B> inline std::common_type_t<A, B> min(A a, B b) { return b < a ? b : a; }
template <class A, class B> inline std::common_type_t<A, B> max(A a, B b) { return a < b ? b : a; }

// ---- the table of kernels, which the driver writes at the end of each file with emulator_kernel<...> ----
template <class T>
constexpr const char* emulator_type_name() {
  if constexpr (std::is_same_v<T, float>) return "float";
  if constexpr (std::is_same_v<T, double>) return "double";
  if constexpr (std::is_same_v<T, int>) return "int";
  if constexpr (std::is_same_v<T, unsigned>) return "unsigned int";
  if constexpr (std::is_same_v<T, long long>) return "long long";
  if constexpr (std::is_same_v<T, unsigned long long>) return "unsigned long long";
  if constexpr (std::is_same_v<T, bool>) return "bool";
  if constexpr (std::is_same_v<T, unsigned char>) return "unsigned char";
  return "?";
}
template <class T>
constexpr EmulatedArgument emulator_argument() {
  using Element = std::remove_cv_t<std::remove_pointer_t<std::remove_cv_t<T>>>;
  return {emulator_type_name<Element>(), std::is_pointer_v<T>};
}
template <auto kernel>
struct EmulatorCall;
template <class... Arguments, void (*kernel)(Arguments...)>
struct EmulatorCall<kernel> {
  static constexpr EmulatedArgument types[] = {emulator_argument<Arguments>()..., {}};
  template <size_t... i>
  EMULATOR_UNCHECKED static void unpack(void** arguments, std::index_sequence<i...>) {
    kernel(*static_cast<Arguments*>(arguments[i])...);
  }
  EMULATOR_UNCHECKED static void call(void** arguments) {
    unpack(arguments, std::index_sequence_for<Arguments...>{});
  }
  static constexpr EmulatedKernel record(const char* name, int max_threads) {
    return {name, call, sizeof...(Arguments), types, max_threads};
  }
};
