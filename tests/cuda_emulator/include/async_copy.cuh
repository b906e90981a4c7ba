// The emulated twin of kernels/cuda/async_copy.cuh: the same functions, without PTX.
#pragma once
using SharedAddress = char*;
inline SharedAddress shared_address(const void* p) { return static_cast<char*>(const_cast<void*>(p)); }
template <int bytes>
inline void copy_async(SharedAddress to, const void* from, bool valid = true) {
  emulator_copy_async(to, from, bytes, valid ? bytes : 0);
}
inline void copy_async_commit() { emulator_copy_commit(); }
template <int groups_left>
inline void copy_async_wait() {
  emulator_copy_wait(groups_left);
}
