// keep(x): from here on x is a value in a register, whose origin the compiler has forgotten. Where registers are scarce
// it otherwise computes x again at each use, inside a loop too. No instruction comes of it.
#pragma once

__device__ __forceinline__ void keep(int& x) { asm volatile("" : "+r"(x)); }
__device__ __forceinline__ void keep(unsigned& x) { asm volatile("" : "+r"(x)); }
template <class T>
__device__ __forceinline__ void keep(T*& x) {
  asm volatile("" : "+l"(x));
}
