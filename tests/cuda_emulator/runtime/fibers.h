// One stack for each CUDA thread, and the switch between them.
//
// On x86-64 a switch takes a few nanoseconds: it stores the six registers a callee must keep and the stack pointer, and
// loads those of the next fiber. Elsewhere ucontext serves, some twenty times slower (each switch is a system call).
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#if !defined(__x86_64__) || defined(EMULATOR_UCONTEXT)
#define EMULATOR_USES_UCONTEXT
#include <ucontext.h>
#endif

namespace fibers {

constexpr int max_count = 1024;
constexpr size_t stack_bytes = 64 << 10;
constexpr int main_fiber = max_count;  // the one that launches

inline char* stacks = nullptr;

inline void allocate() {
  if (stacks) return;
  void* memory = mmap(nullptr, max_count * stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror("CUDA emulator: no memory for the stacks of 1024 threads");
    abort();
  }
  stacks = static_cast<char*>(memory);
  for (int i = 0; i < max_count; i++)  // an overflow ends in a fault, not in the neighbour's stack
    mprotect(stacks + i * stack_bytes, sysconf(_SC_PAGESIZE), PROT_NONE);
}

inline bool on_a_stack(const void* address) {
  return address >= stacks && address < stacks + max_count * stack_bytes;
}

#ifndef EMULATOR_USES_UCONTEXT

inline void* stack_pointer[max_count + 1];

extern "C" void emulator_switch_stack(void** save_to, void* load_from);
asm(R"(
.text
.hidden emulator_switch_stack
.weak emulator_switch_stack
.type emulator_switch_stack, @function
emulator_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch_stack, .-emulator_switch_stack
)");

// The new stack looks as if `entry` had been interrupted by a switch: six registers, then the address to return to.
inline void create(int fiber, void (*entry)()) {
  void** top = reinterpret_cast<void**>(stacks + (fiber + 1) * stack_bytes);
  *--top = nullptr;  // leaves the stack aligned as a call does
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  stack_pointer[fiber] = top;
}

inline void switch_to(int from, int to) { emulator_switch_stack(&stack_pointer[from], stack_pointer[to]); }

#else

inline ucontext_t context[max_count + 1];

inline void create(int fiber, void (*entry)()) {
  getcontext(&context[fiber]);
  context[fiber].uc_stack.ss_sp = stacks + fiber * stack_bytes;
  context[fiber].uc_stack.ss_size = stack_bytes;
  context[fiber].uc_link = nullptr;
  makecontext(&context[fiber], entry, 0);
}

inline void switch_to(int from, int to) { swapcontext(&context[from], &context[to]); }

#endif

}  // namespace fibers
