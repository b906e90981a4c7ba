// The emulated twin of kernels/cuda/keep.cuh: registers are g++'s own matter.
#pragma once
template <class T>
inline void keep(T&) {}
