// Where memory is touched, and whether that was allowed.
//
// g++ -fsanitize=thread puts a call of __tsan_read4, __tsan_write16, ... before every access to memory. These functions
// are defined here (libtsan is never linked), so that each access of a kernel is seen, with its code address.
//
// Every granule (1 to 4 bytes) of an argument or a shared array remembers its last writer and the readers since.
// Two accesses by different threads, one of them a write, are a race unless a barrier lies between: of the block (same
// block, another block epoch), or of the warp (same warp, another warp epoch). Nothing orders two blocks of one launch.
#include <link.h>

#include <algorithm>
#include <cstring>

#include "state.h"

namespace {

constexpr int several = -1;
constexpr size_t most_shared_bytes = 48 << 10;

struct Granule {
  uint32_t write_epoch = 0, write_warp_epoch = 0;  // epoch 0: never written
  long write_block = 0;
  int16_t writer = 0;  // thread of the block, or `several` after atomics
  bool atomic = false, copy_pending = false;
  bool read_by_other_blocks = false;
  int16_t reading_warp = 0;            // the last one to read,
  uint32_t reading_lanes = 0;          // its lanes that read
  uint32_t read_warp_epoch = 0;        // in this epoch of the warp;
  uint32_t reading_warps = 0;          // and all warps that read in
  uint32_t read_epoch = 0;             // this epoch of the block; 0: never read
  long read_block = 0;
};

struct Region {
  char* begin;
  size_t bytes, granule_bytes;
  const char* name;
  Space space;
  const void* key;  // of a shared array
  char* allocation;
  std::vector<Granule> granules;
  uint32_t filled_in_epoch;
};

std::vector<Region> arguments, shared_arrays;
uint32_t launch_epoch, block_epoch;  // the first epochs of this launch and of this block

struct Segment {
  char *begin, *end;
};
std::vector<Segment> module_segments;  // code, constants and globals of the kernel's library: not checked

int find_module_segments(dl_phdr_info* info, size_t, void* kernel_code) {
  std::vector<Segment> segments;
  bool own = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    char* begin = reinterpret_cast<char*>(info->dlpi_addr + header.p_vaddr);
    segments.push_back({begin, begin + header.p_memsz});
    own |= kernel_code >= begin && kernel_code < begin + header.p_memsz;
  }
  if (own) module_segments = segments;
  return own;
}

const char* verb(Access access) {
  return access == Access::read ? "read" : access == Access::write ? "write" : "atomic";
}

Region* find_region(std::vector<Region>& regions, char* p, size_t bytes) {
  for (Region& region : regions)
    if (p >= region.begin && p + bytes <= region.begin + region.bytes) return &region;
  return nullptr;
}

void report_out_of_bounds(char* p, size_t bytes, Access access, void* at) {
  const Region* nearest = nullptr;
  ptrdiff_t least = 1 << 16;
  for (auto* regions : {&shared_arrays, &arguments})
    for (const Region& region : *regions) {
      const ptrdiff_t distance = p < region.begin ? region.begin - p : p - (region.begin + region.bytes);
      if (distance < least) least = distance, nearest = &region;
    }
  if (!nearest) fail(at, "out-of-bounds %s of %zu bytes, far from every array", verb(access), bytes);
  fail(at, "out-of-bounds %s of %zu bytes at byte %td of '%s', which has %zu", verb(access), bytes, p - nearest->begin,
       nearest->name, nearest->bytes);
}

// Is that earlier access by `thread` of `in_block` not ordered before one by the running thread?
bool unordered(long in_block, int thread, uint32_t epoch, uint32_t warp_epoch) {
  if (in_block != block.number) return true;
  if (thread == running || epoch != block.epoch) return false;
  return thread == several || thread / warp_size != self().warp || warp_epoch == block.warp[self().warp].epoch;
}

bool races_with_readers(const Granule& g) {
  if (g.read_block != block.number || g.read_by_other_blocks) return true;
  if (g.read_epoch != block.epoch) return false;
  if (g.reading_warps & ~(1u << self().warp)) return true;
  return g.read_warp_epoch == block.warp[self().warp].epoch && (g.reading_lanes & ~(1u << self().lane));
}

void remember_read(Granule& g, bool read_before) {
  const uint32_t warp_epoch = block.warp[self().warp].epoch;
  if (!read_before) {
    g.read_by_other_blocks = false;
    g.reading_warps = g.reading_lanes = 0;
  } else if (g.read_block != block.number) {
    g.read_by_other_blocks = true;
  }
  if (g.read_epoch != block.epoch) g.reading_warps = g.reading_lanes = 0;
  if (g.reading_warp != self().warp || g.read_warp_epoch != warp_epoch) g.reading_lanes = 0;
  g.reading_lanes |= 1u << self().lane;
  g.reading_warps |= 1u << self().warp;
  g.reading_warp = self().warp;
  g.read_warp_epoch = warp_epoch;
  g.read_epoch = block.epoch;
  g.read_block = block.number;
}

void remember_write(Granule& g, Access access, bool written_before) {
  const bool more_atomics = access == Access::atomic && written_before && g.atomic && g.write_epoch == block.epoch &&
                            g.writer != running;
  g.writer = more_atomics ? several : running;
  g.atomic = access == Access::atomic;
  g.write_block = block.number;
  g.write_epoch = block.epoch;
  g.write_warp_epoch = block.warp[self().warp].epoch;
}

void check_granule(Region& region, size_t i, Access access, void* at) {
  Granule& g = region.granules[i];
  const uint32_t birth = region.space == Space::shared ? block_epoch : launch_epoch;
  const bool written = g.write_epoch >= birth, read = g.read_epoch >= birth;
  const size_t offset = i * region.granule_bytes;
  if (region.space == Space::shared && written && g.copy_pending)
    fail(at, "%s of '%s' at byte %zu, where an asynchronous copy is still under way", verb(access), region.name,
         offset);
  if (region.space == Space::shared && access != Access::write && !written)
    fail(at, "read of uninitialised shared memory, '%s' at byte %zu", region.name, offset);
  if (written && !(access == Access::atomic && g.atomic) &&
      unordered(g.write_block, g.writer, g.write_epoch, g.write_warp_epoch))
    fail(at, "race on '%s' at byte %zu: %s after the write by thread %d of block %ld with no barrier between",
         region.name, offset, verb(access), g.writer, g.write_block);
  if (access != Access::read && read && races_with_readers(g))
    fail(at, "race on '%s' at byte %zu: %s after a read by another thread with no barrier between", region.name, offset,
         verb(access));
  if (access == Access::read) remember_read(g, read);
  else remember_write(g, access, written);
}

void for_granules(Region& region, char* p, size_t bytes, auto action) {
  const size_t first = (p - region.begin) / region.granule_bytes;
  const size_t last = (p - region.begin + bytes - 1) / region.granule_bytes;
  for (size_t i = first; i <= last; i++) action(i);
}

void fill_with_nan(char* begin, size_t bytes) { memset(begin, 0xff, bytes); }  // all ones: NaN in every format

Region make_region(char* begin, size_t bytes, size_t granule_bytes, const char* name, Space space) {
  Region region{begin, bytes, granule_bytes, name, space, nullptr, nullptr, {}, 0};
  if (checking) region.granules.resize(bytes / granule_bytes + 1);
  return region;
}

}  // namespace

void checker_begin_launch(void* kernel_code) {
  dl_iterate_phdr(find_module_segments, kernel_code);
  launch_epoch = ++block.epoch;
}

void checker_begin_block() { block_epoch = ++block.epoch; }

void checker_end_launch() {
  for (Region& region : shared_arrays) free(region.allocation);
  shared_arrays.clear();
  arguments.clear();
}

void check_access(void* address, size_t bytes, Access access, void* at) {
  if (!checking || fibers::on_a_stack(address)) return;
  char* const p = static_cast<char*>(address);
  Region* region = find_region(shared_arrays, p, bytes);
  if (!region) region = find_region(arguments, p, bytes);
  if (!region) {
    for (const Segment& segment : module_segments)
      if (p >= segment.begin && p < segment.end) return;
    report_out_of_bounds(p, bytes, access, at);
  }
  if (profiling) profile_access(p, bytes, access, region->space, at);
  for_granules(*region, p, bytes, [&](size_t i) { check_granule(*region, i, access, at); });
}

void check_copy_issued(void* to, size_t bytes, void* at) {
  if (!checking) return;
  check_access(to, bytes, Access::write, at);
  Region* region = find_region(shared_arrays, static_cast<char*>(to), bytes);
  if (!region) fail(at, "cp.async writes to memory that is not shared");
  for_granules(*region, static_cast<char*>(to), bytes, [&](size_t i) { region->granules[i].copy_pending = true; });
}

void copy_lands(const PendingCopy& copy) {
  memset(copy.to, 0, copy.bytes);
  memcpy(copy.to, copy.from, copy.valid);
  if (!checking) return;
  Region* region = find_region(shared_arrays, static_cast<char*>(copy.to), copy.bytes);
  for_granules(*region, static_cast<char*>(copy.to), copy.bytes, [&](size_t i) {
    region->granules[i].copy_pending = false;
    remember_write(region->granules[i], Access::write, true);
  });
}

extern "C" {

void emulator_add_argument(void* begin, size_t bytes, size_t granule_bytes, const char* name) {
  if (!find_region(arguments, static_cast<char*>(begin), bytes))  // one array given twice shares its history
    arguments.push_back(make_region(static_cast<char*>(begin), bytes, granule_bytes, name, Space::global));
}

void emulator_set_checks(int check, int profile) {
  checking = check;
  profiling = profile;
}

void* emulator_shared_array(const char* name, const void* key, size_t bytes, size_t element_bytes, size_t alignment) {
  auto found = std::find_if(shared_arrays.begin(), shared_arrays.end(), [&](Region& r) { return r.key == key; });
  if (found == shared_arrays.end()) {
    // The array starts at an odd multiple of its declared alignment: a wider access than that does not pass by luck.
    const size_t shift = alignment < 16 ? alignment : 0;
    char* allocation = static_cast<char*>(aligned_alloc(256, (bytes + shift + 511) / 256 * 256));
    Region region = make_region(allocation + shift, bytes, std::min<size_t>(element_bytes, 4), name, Space::shared);
    region.key = key;
    region.allocation = allocation;
    shared_arrays.push_back(std::move(region));
    found = shared_arrays.end() - 1;
    size_t all_bytes = 0;
    for (const Region& array : shared_arrays) all_bytes += array.bytes;
    if (all_bytes > most_shared_bytes)
      fail(CALLER, "%zu bytes of static shared memory, a block can have %zu", all_bytes, most_shared_bytes);
  }
  if (found->filled_in_epoch < block_epoch) {
    fill_with_nan(found->begin, found->bytes);
    found->filled_in_epoch = block_epoch;
  }
  return found->begin;
}

uint64_t emulator_atomic_read(const void* address, size_t bytes) {
  check_access(const_cast<void*>(address), bytes, Access::atomic, CALLER);
  uint64_t value = 0;
  memcpy(&value, address, bytes);
  return value;
}

void emulator_atomic_write(void* address, uint64_t value, size_t bytes) { memcpy(address, &value, bytes); }

// ---- the calls that -fsanitize=thread compiles in ----
#define CHECK_ALIGNED(N)                             \
  if (reinterpret_cast<uintptr_t>(address) % N != 0) \
    fail(CALLER, "misaligned access: " #N " bytes at an address that is no multiple of " #N)
#define DEFINE_TSAN(N)                                                                                         \
  void __tsan_read##N(void* address) {                                                                         \
    CHECK_ALIGNED(N);                                                                                          \
    check_access(address, N, Access::read, CALLER);                                                            \
  }                                                                                                            \
  void __tsan_write##N(void* address) {                                                                        \
    CHECK_ALIGNED(N);                                                                                          \
    check_access(address, N, Access::write, CALLER);                                                           \
  }                                                                                                            \
  void __tsan_unaligned_read##N(void* address) { check_access(address, N, Access::read, CALLER); }             \
  void __tsan_unaligned_write##N(void* address) { check_access(address, N, Access::write, CALLER); }
DEFINE_TSAN(1)
DEFINE_TSAN(2)
DEFINE_TSAN(4)
DEFINE_TSAN(8)
DEFINE_TSAN(16)
void __tsan_read_range(void* address, size_t bytes) { check_access(address, bytes, Access::read, CALLER); }
void __tsan_write_range(void* address, size_t bytes) { check_access(address, bytes, Access::write, CALLER); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

}  // extern "C"
