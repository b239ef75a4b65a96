// The engine of the emulator: fibers, blocks, grids. With driver.cpp it is the stand-in for libcuda.so.1.
#include "engine.h"

#include <cstdio>
#include <vector>

// Switches stacks: saves what the System V ABI of x86-64 lets a callee expect.
extern "C" void emulatorSwitch(void** save, void* to);
asm(R"(.text
.type emulatorSwitch,@function
emulatorSwitch:
 push %rbp
 push %rbx
 push %r12
 push %r13
 push %r14
 push %r15
 mov %rsp,(%rdi)
 mov %rsi,%rsp
 pop %r15
 pop %r14
 pop %r13
 pop %r12
 pop %rbx
 pop %rbp
 ret
.size emulatorSwitch,.-emulatorSwitch
)");

namespace emulator {

State state;

namespace {

constexpr int WARPS = 32, LANES = 32, MOST_THREADS = WARPS * LANES, OFFER_BYTES = 64;
constexpr size_t STACK_BYTES = 64 << 10;

struct Fiber {
  void* stackPointer;
  std::vector<char> stack;
  Wait waits;
  unsigned mask;  // of the lanes that it waits for
};

struct Offer {
  alignas(8) unsigned char bytes[OFFER_BYTES];
};

Fiber fibers[MOST_THREADS];
Offer offered[WARPS][LANES], seen[WARPS][LANES];
void* scheduler;
const std::function<void()>* body;
std::vector<unsigned char> dynamic;
unsigned order, random = 1;
const char* fault;

void entry() {
  (*body)();
  wait(DONE);
}

/** In which order threads go: up, down or rotated, drawn for each launch. What depends on it is a race. */
int turn(int k, int n, unsigned draw) {
  switch (order) {
    case 0: return k;
    case 1: return n - 1 - k;
    default: return static_cast<int>((k + draw % n) % n);
  }
}

void prepare(int n) {
  for (int i = 0; i < n; i++) {
    Fiber& f = fibers[i];
    if (f.stack.empty()) f.stack.resize(STACK_BYTES);
    uintptr_t top = (reinterpret_cast<uintptr_t>(f.stack.data()) + STACK_BYTES) & ~uintptr_t(15);
    void** p = reinterpret_cast<void**>(top);
    *--p = nullptr;
    *--p = reinterpret_cast<void*>(&entry);  // entry finds its stack as a call leaves it
    for (int r = 0; r < 6; r++) *--p = nullptr;
    f.stackPointer = p;
    f.waits = NOTHING;
    state.index[i] = dim3(i % state.block.x, i / state.block.x % state.block.y, i / (state.block.x * state.block.y));
  }
}

/** Lets a warp go on whose named lanes have all come; says whether one did. */
bool releaseWarps(int n) {
  bool released = false;
  for (int first = 0; first < n; first += LANES) {
    int end = std::min(n, first + LANES);
    unsigned wanted = 0, here = 0;
    for (int i = first; i < end; i++) {
      if (fibers[i].waits != WARP) continue;
      wanted |= fibers[i].mask;
      here |= 1u << (i - first);
    }
    if (end - first < LANES) wanted &= (1u << (end - first)) - 1;
    if (here == 0 || here != wanted) continue;
    for (int i = first; i < end; i++) {
      if (fibers[i].waits != WARP) continue;
      fibers[i].waits = NOTHING;
      seen[first / LANES][i - first] = offered[first / LANES][i - first];
    }
    released = true;
  }
  return released;
}

/** Every lane that a meeting released has read it before another meeting of its warp ends: all run in between. */
void runBlock(int n) {
  prepare(n);
  for (;;) {
    bool ran = false;
    unsigned draw = random = random * 1664525u + 1013904223u;
    for (int k = 0; k < n; k++) {
      int i = turn(k, n, draw >> 8);
      if (fibers[i].waits != NOTHING) continue;
      state.thread = i;
      ran = true;
      emulatorSwitch(&scheduler, fibers[i].stackPointer);
      if (fault != nullptr) return;
    }
    ran |= releaseWarps(n);
    int done = 0, atBarrier = 0;
    for (int i = 0; i < n; i++) {
      done += fibers[i].waits == DONE;
      atBarrier += fibers[i].waits == BLOCK;
    }
    if (done == n) return;
    if (atBarrier == n) {
      for (int i = 0; i < n; i++) fibers[i].waits = NOTHING;
    } else if (!ran) {
      fault = atBarrier > 0 ? "threads of one block differ in reaching __syncthreads"
                            : "lanes named in a mask never came";
      return;
    }
  }
}

}  // namespace

void wait(Wait what) {
  Fiber& f = fibers[state.thread];
  f.waits = what;
  emulatorSwitch(&f.stackPointer, scheduler);
}

void meet(unsigned mask, const void* offer, size_t bytes) {
  int warp = state.thread / LANES;
  if (!(mask >> lane() & 1)) fault = "a lane is not in its own mask";
  if (bytes > OFFER_BYTES) fault = "more than 64 bytes exchanged at once";
  else if (bytes > 0) std::memcpy(offered[warp][lane()].bytes, offer, bytes);
  fibers[state.thread].mask = mask;
  wait(WARP);
}

const void* published(int lane) { return seen[state.thread / LANES][lane].bytes; }

void run(dim3 grid, dim3 block, size_t shared, const std::function<void()>& thread) {
  unsigned n = block.x * block.y * block.z;
  fault = n == 0 || n > MOST_THREADS ? "not 1 to 1,024 threads a block" : nullptr;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535) fault = "not a grid";
  if (shared > MOST_SHARED) fault = "more shared memory than a block can have";
  random = random * 1664525u + 1013904223u;
  order = (random >> 16) % 3;
  state.grid = grid;
  state.block = block;
  body = &thread;
  dynamic.assign(shared + 128, 0xA5);
  state.shared = reinterpret_cast<unsigned char*>((reinterpret_cast<uintptr_t>(dynamic.data()) + 127) & ~uintptr_t(127));
  for (unsigned z = 0; z < grid.z && fault == nullptr; z++) {
    for (unsigned y = 0; y < grid.y && fault == nullptr; y++) {
      for (unsigned x = 0; x < grid.x && fault == nullptr; x++) {
        state.at = dim3(x, y, z);
        runBlock(static_cast<int>(n));
      }
    }
  }
  if (fault == nullptr) return;
  std::fprintf(stderr, "emulator: %s, in block (%u,%u,%u)\n", fault, state.at.x, state.at.y, state.at.z);
  fail(LAUNCH_FAILED);
}

}  // namespace emulator
