// How well a warp's accesses go together: the sectors of global memory and the shared-memory wavefronts they need.
//
// The n-th time that the lanes of a warp pass the same load or store is one request. A global request moves whole
// sectors of 32 bytes; a shared one needs as many wavefronts as its busiest of 32 banks (4 bytes wide) has different
// words. Requests of 8 and 16 bytes a lane are served in halves and quarters of a warp; two of them go together where
// every lane shares its address with the lane one apart, or every lane with the one two apart (observed on GPUs, and
// what the order of lanes in CUTLASS rests on; NVIDIA does not document it). Quarters of different halves never do.
#include <algorithm>
#include <map>
#include <set>

#include "state.h"

namespace {

struct Site {
  Access access;
  Space space;
  size_t bytes;
  std::vector<const char*> addresses[fibers::max_count];  // of this block, by thread, in order of time
  uint64_t requests = 0, cost = 0, least = 0;             // cost: sectors or wavefronts; least: what would do
};
std::map<std::pair<void*, Space>, Site> sites;  // an asynchronous copy touches both spaces at one place

using Request = std::vector<const char*>;

uint64_t count_sectors(const Request& request, size_t bytes) {
  std::set<uintptr_t> sectors;
  for (const char* p : request)
    for (const char* byte : {p, p + bytes - 1}) sectors.insert(reinterpret_cast<uintptr_t>(byte) / 32);
  return sectors.size();
}

bool share_addresses(const Request& request, size_t first, size_t end, size_t apart) {
  for (size_t i = first; i < end; i++)
    if ((i ^ apart) >= end || request[i] != request[i ^ apart]) return false;
  return true;
}

uint64_t count_wavefronts(const Request& request, size_t bytes) {
  const size_t lanes_at_once = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  uint64_t wavefronts = 0;
  for (size_t first = 0, end; first < request.size(); first = end) {
    end = std::min(request.size(), first + lanes_at_once);
    const size_t both = first + 2 * lanes_at_once;
    if (first % (2 * lanes_at_once) == 0 && both <= request.size() &&
        (share_addresses(request, first, both, 1) || share_addresses(request, first, both, 2)))
      end = both;
    std::set<uintptr_t> words;
    for (size_t i = first; i < end; i++)
      for (size_t byte = 0; byte < std::max<size_t>(bytes, 4); byte += 4)
        words.insert(reinterpret_cast<uintptr_t>(request[i] + byte) / 4);
    uint64_t in_bank[32] = {};
    for (uintptr_t word : words) in_bank[word % 32]++;
    wavefronts += *std::max_element(in_bank, in_bank + 32);
  }
  return wavefronts;
}

void count_request(Site& site, const Request& request) {
  const size_t lanes_at_once = site.bytes <= 4 ? 32 : site.bytes == 8 ? 16 : 8;
  const size_t different = std::set<const char*>(request.begin(), request.end()).size();
  const bool global = site.space == Space::global;
  site.requests++;
  site.cost += global ? count_sectors(request, site.bytes) : count_wavefronts(request, site.bytes);
  site.least += global ? (different * site.bytes + 31) / 32 : (request.size() + lanes_at_once - 1) / lanes_at_once;
}

}  // namespace

void profile_access(const void* address, size_t bytes, Access access, Space space, void* at) {
  Site& site = sites[{at, space}];
  site.access = access;
  site.space = space;
  site.bytes = bytes;
  site.addresses[running].push_back(static_cast<const char*>(address));
}

void profile_end_block() {
  for (auto& [key, site] : sites) {
    for (int warp = 0; warp * warp_size < block.threads; warp++) {
      auto* const lanes = &site.addresses[warp * warp_size];
      for (size_t n = 0;; n++) {
        Request request;
        for (int lane = 0; lane < warp_size; lane++)
          if (lanes[lane].size() > n) request.push_back(lanes[lane][n]);
        if (request.empty()) break;
        count_request(site, request);
      }
    }
    for (auto& addresses : site.addresses) addresses.clear();
  }
}

extern "C" {

struct ProfileRow {
  CodePlace place;
  int shared, store;
  uint64_t bytes, requests, cost, least;
};

int emulator_profile_row(int i, ProfileRow* row) {
  if (i >= static_cast<int>(sites.size())) return 0;
  const auto& [key, site] = *std::next(sites.begin(), i);
  *row = {place_of(key.first), site.space == Space::shared, site.access != Access::read, site.bytes, site.requests,
          site.cost, site.least};
  return 1;
}

void emulator_profile_clear() { sites.clear(); }

}  // extern "C"
