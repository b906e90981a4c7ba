// The state of the block that runs now, shared by scheduler.cpp (who runs), checker.cpp (what is touched) and
// profile.cpp (how well it is touched).
#pragma once
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fibers.h"
#include "interface.h"

constexpr int warp_size = 32;

struct PendingCopy {
  void* to;
  const void* from;
  int bytes, valid, group;
};

enum class State { ready, at_block_barrier, at_warp_barrier, done };

struct Thread {
  uint3 index;
  int warp, lane;
  State state;
  int line;                         // of the barrier it waits at
  int copy_group;                   // groups of asynchronous copies committed so far
  std::vector<PendingCopy> copies;  // issued, not waited for
};

enum class Operation { sync, shuffle, vote, mma, load_matrices };

struct Warp {
  unsigned alive, arrived;  // lanes that have not returned; lanes at a warp barrier
  unsigned epoch;           // warp barriers passed
  unsigned mask[warp_size];
  Operation operation[warp_size];
  int line[warp_size];
  uint64_t value[warp_size];          // what a shuffle or a vote exchanges
  uint32_t fragment[warp_size][6];    // what mma and ldmatrix exchange
};

struct Block {
  uint3 index, size, grid;
  long number;  // position in the grid, x fastest
  int threads, alive, arrived;
  uint32_t epoch;  // block barriers passed since the launch, of all blocks together
  Thread thread[fibers::max_count];
  Warp warp[fibers::max_count / warp_size];
};

extern Block block;
extern int running;  // the thread whose fiber runs
extern bool checking, profiling;

inline Thread& self() { return block.thread[running]; }

// Ends the launch with this message; `at` is a code address, which the driver turns into a line of the .cu file.
[[noreturn]] void fail(void* at, const char* format, ...) __attribute__((format(printf, 2, 3)));
#define CALLER __builtin_return_address(0)

enum class Access { read, write, atomic };
enum class Space { global, shared };

// Where some code is: the library, and the offset there of the call that led to it.
struct CodePlace {
  const char* library;
  uintptr_t offset;
};
CodePlace place_of(void* code);

// checker.cpp
void checker_begin_launch(void* kernel_code);
void checker_begin_block();
void checker_end_launch();
void check_access(void* address, size_t bytes, Access access, void* at);
void check_copy_issued(void* to, size_t bytes, void* at);
void copy_lands(const PendingCopy& copy);

// profile.cpp
void profile_access(const void* address, size_t bytes, Access access, Space space, void* at);
void profile_end_block();
