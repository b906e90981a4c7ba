// Runs a grid: block after block, each CUDA thread of a block on a fiber of its own.
//
// A fiber runs until it waits: at a barrier of the block, at one of the warp, or for ever (it returned). The last one
// to arrive makes those that waited ready again, forwards, backwards or shuffled, so that an order that only happens to
// work is not the only one tried. A warp operation is: write the own value, barrier, read the others', barrier.
#include <dlfcn.h>

#include <cstring>
#include <utility>

#include "state.h"

Block block;
int running;
bool checking, profiling;

namespace {

enum Order { forward, reverse, shuffled };
const char* const operation_names[] = {"__syncwarp", "a shuffle", "a vote", "mma.sync", "ldmatrix"};

const EmulatedKernel* kernel;
void** kernel_arguments;
char error[512];
void* error_at;
bool failed;
Order order;
uint64_t random_state;

// ---- the queue of ready threads: each is in it at most once ----
int queue[fibers::max_count];
unsigned queue_first, queue_count;
int woken[fibers::max_count], woken_count;

unsigned random_below(unsigned n) {  // xorshift
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return static_cast<unsigned>(random_state >> 33) % n;
}

void wake(int thread) {
  block.thread[thread].state = State::ready;
  woken[woken_count++] = thread;
}

void enqueue_woken() {
  for (int i = 0; i < woken_count; i++) {
    if (order == shuffled) std::swap(woken[i], woken[i + random_below(woken_count - i)]);
    const int thread = order == reverse ? woken[woken_count - 1 - i] : woken[i];
    queue[(queue_first + queue_count++) % fibers::max_count] = thread;
  }
  woken_count = 0;
}

void report_deadlock() {
  int at_block = 0, block_line = 0, at_warp = 0, warp_line = 0;
  for (int i = 0; i < block.threads; i++) {
    const Thread& thread = block.thread[i];
    if (thread.state == State::at_block_barrier) at_block++, block_line = thread.line;
    if (thread.state == State::at_warp_barrier) at_warp++, warp_line = thread.line;
  }
  fail(nullptr, "deadlock: %d of %d threads wait at __syncthreads (line %d), %d at a warp operation (line %d)",
       at_block, block.alive, block_line, at_warp, warp_line);
}

void run_next() {
  if (queue_count == 0) report_deadlock();
  const int from = running;
  running = queue[queue_first];
  queue_first = (queue_first + 1) % fibers::max_count;
  queue_count--;
  if (running != from) fibers::switch_to(from, running);
}

void fiber_main() {
  kernel->call(kernel_arguments);
  Thread& me = self();
  if (!me.copies.empty()) fail(nullptr, "a thread returned with asynchronous copies it had not waited for");
  if (block.arrived) fail(nullptr, "barrier divergence: a thread returned while others wait at __syncthreads");
  me.state = State::done;
  block.warp[me.warp].alive &= ~(1u << me.lane);
  if (--block.alive == 0) fibers::switch_to(running, fibers::main_fiber);
  run_next();
  abort();  // a finished fiber is never resumed
}

void meet_warp(unsigned mask, Operation operation, int line, void* at) {
  Thread& me = self();
  Warp& warp = block.warp[me.warp];
  const char* const name = operation_names[static_cast<int>(operation)];
  if (!(mask >> me.lane & 1)) fail(at, "%s whose mask %08x leaves out the calling lane", name, mask);
  me.state = State::at_warp_barrier;
  me.line = line;
  warp.arrived |= 1u << me.lane;
  warp.mask[me.lane] = mask;
  warp.operation[me.lane] = operation;
  warp.line[me.lane] = line;
  const unsigned awaited = mask & warp.alive;
  if ((warp.arrived & awaited) == awaited) {
    for (int lane = 0; lane < warp_size; lane++) {
      if (!(awaited >> lane & 1)) continue;
      if (warp.mask[lane] != mask)
        fail(at, "lanes of one warp operation give different masks: %08x and %08x", mask, warp.mask[lane]);
      if (warp.operation[lane] != operation || (operation != Operation::sync && warp.line[lane] != line))
        fail(at, "lanes of one warp meet in different operations: %s (line %d) and %s (line %d)", name, line,
             operation_names[static_cast<int>(warp.operation[lane])], warp.line[lane]);
      wake(me.warp * warp_size + lane);
    }
    warp.arrived &= ~awaited;
    warp.epoch++;
    enqueue_woken();
  }
  run_next();
}

void run_block() {
  block.alive = block.threads;
  block.arrived = 0;
  queue_first = queue_count = woken_count = 0;
  memset(block.warp, 0, sizeof block.warp);
  for (int i = 0; i < block.threads; i++) {
    Thread& thread = block.thread[i];
    const unsigned x = block.size.x, y = block.size.y;
    thread.index = {i % x, i / x % y, i / x / y};
    thread.warp = i / warp_size;
    thread.lane = i % warp_size;
    thread.copy_group = 0;
    thread.copies.clear();
    block.warp[thread.warp].alive |= 1u << thread.lane;
    fibers::create(i, fiber_main);
    wake(i);
  }
  enqueue_woken();
  running = fibers::main_fiber;
  run_next();
}

float as_tf32(uint32_t bits) {
  bits &= 0xffffe000u;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

CodePlace place_of(void* code) {
  Dl_info info;
  if (!code || !dladdr(code, &info)) return {"", 0};
  return {info.dli_fname, static_cast<uintptr_t>(static_cast<char*>(code) - static_cast<char*>(info.dli_fbase)) - 1};
}

void fail(void* at, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int used = vsnprintf(error, sizeof error, format, arguments);
  va_end(arguments);
  if (used < static_cast<int>(sizeof error)) {
    const uint3 b = block.index, t = self().index;
    snprintf(error + used, sizeof error - used, " [block (%u, %u, %u), thread (%u, %u, %u)]", b.x, b.y, b.z, t.x, t.y,
             t.z);
  }
  error_at = at;
  failed = true;
  fibers::switch_to(running, fibers::main_fiber);
  abort();
}

extern "C" {

uint3 emulator_thread_index() { return self().index; }
uint3 emulator_block_index() { return block.index; }
uint3 emulator_block_size() { return block.size; }
uint3 emulator_grid_size() { return block.grid; }
int emulator_lane() { return self().lane; }
unsigned emulator_active_mask() { return block.warp[self().warp].alive; }

void emulator_sync_block(int line) {
  Thread& me = self();
  if (block.alive < block.threads) fail(CALLER, "barrier divergence: __syncthreads after some threads returned");
  me.state = State::at_block_barrier;
  me.line = line;
  if (++block.arrived == block.alive) {
    for (int i = 0; i < block.threads; i++) {
      if (block.thread[i].line != line)
        fail(CALLER, "barrier divergence: threads wait at different __syncthreads (lines %d and %d)", line,
             block.thread[i].line);
      wake(i);
    }
    block.arrived = 0;
    block.epoch++;
    enqueue_woken();
  }
  run_next();
}

void emulator_sync_warp(unsigned mask, int line) { meet_warp(mask, Operation::sync, line, CALLER); }

uint64_t emulator_shuffle(unsigned mask, uint64_t value, int source_lane, int line) {
  Warp& warp = block.warp[self().warp];
  warp.value[self().lane] = value;
  meet_warp(mask, Operation::shuffle, line, CALLER);
  if (source_lane >= 0) {
    if (!((mask & warp.alive) >> source_lane & 1))
      fail(CALLER, "a shuffle reads lane %d, which is not in the mask %08x or has returned", source_lane, mask);
    value = warp.value[source_lane];
  }
  meet_warp(mask, Operation::shuffle, line, CALLER);
  return value;
}

unsigned emulator_ballot(unsigned mask, bool predicate, int line) {
  Warp& warp = block.warp[self().warp];
  warp.value[self().lane] = predicate;
  meet_warp(mask, Operation::vote, line, CALLER);
  unsigned votes = 0;
  for (int lane = 0; lane < warp_size; lane++)
    if ((mask & warp.alive) >> lane & 1 && warp.value[lane]) votes |= 1u << lane;
  meet_warp(mask, Operation::vote, line, CALLER);
  return votes;
}

// Lane l holds, with g = l / 4 and t = l % 4: a[i] = A[g + 8 (i % 2)][t + 4 (i / 2)], b[i] = B[t + 4 i][g],
// c[i] = C[g + 8 (i / 2)][2 t + i % 2] (PTX ISA, "Matrix fragments for mma.m16n8k8").
void emulator_mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2], const float c[4], int line) {
  Warp& warp = block.warp[self().warp];
  const int lane = self().lane, g = lane / 4, t = lane % 4;
  memcpy(warp.fragment[lane], a, 4 * sizeof *a);
  memcpy(warp.fragment[lane] + 4, b, 2 * sizeof *b);
  meet_warp(~0u, Operation::mma, line, CALLER);
  float result[4];
  for (int i = 0; i < 4; i++) {
    const int row = g + 8 * (i / 2), column = 2 * t + i % 2;
    double sum = c[i];
    for (int k = 0; k < 8; k++)
      sum += static_cast<double>(as_tf32(warp.fragment[row % 8 * 4 + k % 4][row / 8 + 2 * (k / 4)])) *
             as_tf32(warp.fragment[column * 4 + k % 4][4 + k / 4]);
    result[i] = static_cast<float>(sum);
  }
  meet_warp(~0u, Operation::mma, line, CALLER);
  memcpy(d, result, sizeof result);
}

void emulator_load_matrices(uint32_t* d, const uint32_t* line_of_matrix, int line) {
  Warp& warp = block.warp[self().warp];
  const int lane = self().lane;
  if (reinterpret_cast<uintptr_t>(line_of_matrix) % 16)
    fail(CALLER, "ldmatrix from an address that is no multiple of 16");
  check_access(const_cast<uint32_t*>(line_of_matrix), 16, Access::read, CALLER);
  memcpy(warp.fragment[lane], line_of_matrix, 16);
  meet_warp(~0u, Operation::load_matrices, line, CALLER);
  for (int i = 0; i < 4; i++) d[i] = warp.fragment[8 * i + lane / 4][lane % 4];
  meet_warp(~0u, Operation::load_matrices, line, CALLER);
}

void emulator_copy_async(void* to, const void* from, int bytes, int valid) {
  if (reinterpret_cast<uintptr_t>(to) % bytes || (valid && reinterpret_cast<uintptr_t>(from) % bytes))
    fail(CALLER, "cp.async of %d bytes from or to an address that is not a multiple of %d", bytes, bytes);
  if (valid) check_access(const_cast<void*>(from), valid, Access::read, CALLER);
  check_copy_issued(to, bytes, CALLER);
  self().copies.push_back({to, from, bytes, valid, self().copy_group});
}

void emulator_copy_commit() { self().copy_group++; }

void emulator_copy_wait(int groups_left) {
  Thread& me = self();
  size_t kept = 0;
  for (const PendingCopy& copy : me.copies) {
    if (copy.group < me.copy_group - groups_left)
      copy_lands(copy);
    else
      me.copies[kept++] = copy;
  }
  me.copies.resize(kept);
}

// ---- what the Python driver calls ----

const char* emulator_error() { return error; }

void emulator_error_place(CodePlace* place) { *place = place_of(error_at); }

int emulator_launch(const EmulatedKernel* record, const unsigned grid[3], const unsigned size[3], void** arguments,
                    int order_of_threads, uint64_t seed) {
  fibers::allocate();
  kernel = record;
  kernel_arguments = arguments;
  order = static_cast<Order>(order_of_threads);
  random_state = seed * 0x9E3779B97F4A7C15ull + 88172645463325252ull;
  failed = false;
  block.grid = {grid[0], grid[1], grid[2]};
  block.size = {size[0], size[1], size[2]};
  block.threads = size[0] * size[1] * size[2];
  checker_begin_launch(reinterpret_cast<void*>(record->call));
  const long blocks = static_cast<long>(grid[0]) * grid[1] * grid[2];
  for (long i = 0; i < blocks && !failed; i++) {
    const long n = block.number = order == reverse ? blocks - 1 - i : i;
    block.index = {static_cast<unsigned>(n % grid[0]), static_cast<unsigned>(n / grid[0] % grid[1]),
                   static_cast<unsigned>(n / grid[0] / grid[1])};
    checker_begin_block();
    run_block();
    if (profiling) profile_end_block();
  }
  checker_end_launch();
  return failed;
}

}  // extern "C"
