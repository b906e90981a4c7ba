// keep(x) makes the compiler hold x in a register. Without it, where registers are scarce, the compiler may recompute x
// at each use, even inside a loop. The asm statement is empty: it only hides from the compiler how x was computed.
#pragma once

__device__ __forceinline__ void keep(int& x) { asm volatile("" : "+r"(x)); }
__device__ __forceinline__ void keep(unsigned& x) { asm volatile("" : "+r"(x)); }
template <class T>
__device__ __forceinline__ void keep(T*& x) {
  asm volatile("" : "+l"(x));
}
