// Asynchronous copies from global to shared memory, which bypass the registers.
//
// A thread issues copies, closes a group of them with commit, and later waits until at most `groups_left` of its groups
// are still in flight. Then this thread sees the data; other threads need a barrier too.
// PTX ISA, "cp.async"; compute capability 8.0 and newer.
#pragma once

using SharedAddress = unsigned;  // in bytes: 32 bits, where a generic pointer takes 64
__device__ __forceinline__ SharedAddress shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

// Copies 4, 8 or 16 bytes, or writes as many zeros where `valid` is false: `from` is not read then, and may be any
// address, as in CUTLASS's cp_async_zfill.
template <int bytes>
__device__ __forceinline__ void copy_async(SharedAddress to, const void* from, bool valid = true) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(to), "l"(from), "n"(bytes),
               "r"(valid ? bytes : 0));
}

__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;\n" ::); }

template <int groups_left>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(groups_left) : "memory");
}
