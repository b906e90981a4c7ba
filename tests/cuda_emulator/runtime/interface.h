// What the kernel's side (include/cuda_device.h) and the runtime's side (runtime/*.cpp) know of each other.
#pragma once
#include <cstddef>
#include <cstdint>

struct uint3 {
  unsigned x, y, z;
};

extern "C" {

// A kernel as the runtime calls it: `call` unpacks the array of argument addresses that cuLaunchKernel would take.
struct EmulatedArgument {
  const char* type;  // without const and *, such as "float" or "unsigned char"
  bool pointer;
};
struct EmulatedKernel {
  const char* name;
  void (*call)(void** arguments);
  int argument_count;
  const EmulatedArgument* arguments;
  int max_threads;  // from __launch_bounds__, 0 without
};

// "const" lets GCC keep the value for the life of one CUDA thread, as a special register would.
__attribute__((const)) uint3 emulator_thread_index();
__attribute__((const)) uint3 emulator_block_index();
__attribute__((const)) uint3 emulator_block_size();
__attribute__((const)) uint3 emulator_grid_size();
__attribute__((const)) int emulator_lane();

void emulator_sync_block(int line);
void emulator_sync_warp(unsigned mask, int line);
uint64_t emulator_shuffle(unsigned mask, uint64_t value, int source_lane, int line);  // source_lane < 0: keep the own
unsigned emulator_ballot(unsigned mask, bool predicate, int line);
unsigned emulator_active_mask();

// The block's copy of a __shared__ array, known by the address of its key.
void* emulator_shared_array(const char* name, const void* key, size_t bytes, size_t element_bytes, size_t alignment);

uint64_t emulator_atomic_read(const void* address, size_t bytes);  // checks the whole operation
void emulator_atomic_write(void* address, uint64_t value, size_t bytes);

// cp.async: the copy is checked when it is issued and lands in its thread's wait; bytes beyond `valid` become zero.
void emulator_copy_async(void* to, const void* from, int bytes, int valid);
void emulator_copy_commit();
void emulator_copy_wait(int groups_left);

// ldmatrix.sync.aligned.m8n8.x4: lane 8 i + r names line r of matrix i, 16 bytes; d[i] = matrix i [lane / 4][lane % 4].
void emulator_load_matrices(uint32_t* d, const uint32_t* line_of_matrix, int line);

// d = a b + c on one warp: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32, in its register layout.
void emulator_mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2], const float c[4], int line);
}
