// The part of the driver API that Driver.java calls, over the emulator. Work on a stream is kept until somebody waits
// for it: host memory that is reused too early, or a missing wait between streams, shows. Memory is the host's; copies
// are held against what was allocated.
#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine.h"

namespace {

using Work = std::function<void()>;
using Graph = std::vector<Work>;

struct Stream {
  std::deque<Work> queue;
  int64_t submitted = 0, finished = 0;
  Graph* captures = nullptr;
};

typedef std::chrono::steady_clock::time_point Time;

/** A place in a stream, and when it was reached. */
struct Event {
  Stream* stream = nullptr;
  int64_t after = 0;
  std::shared_ptr<Time> reached;
};

enum Status { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_IMAGE = 200,
              INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, CAPTURE_UNSUPPORTED = 900 };
enum Attribute { MULTIPROCESSORS = 16, COMPUTE_MAJOR = 75, COMPUTE_MINOR = 76, SHARED_OPT_IN = 97 };

/** Stands for the card's: an allocation past it is refused. */
constexpr size_t DEVICE_BYTES = size_t(4) << 30;

std::recursive_mutex one;
std::map<uintptr_t, size_t> memory;
size_t held;
int status;
Stream defaultStream;

#define DYR_GUARDED                                  \
  std::lock_guard<std::recursive_mutex> guard(one);  \
  if (status != SUCCESS) return status

Stream& of(void* stream) { return stream == nullptr ? defaultStream : *static_cast<Stream*>(stream); }

void drain(Stream& s, int64_t until) {
  while (s.finished < until && !s.queue.empty()) {
    Work work = std::move(s.queue.front());
    s.queue.pop_front();
    if (status == SUCCESS) work();
    s.finished++;
  }
}

bool isHeld(uintptr_t at, size_t bytes) {
  auto next = memory.upper_bound(at);
  if (next == memory.begin()) return false;
  auto block = std::prev(next);
  return at + bytes <= block->first + block->second;
}

}  // namespace

namespace emulator {

void fail(int with) { status = with; }

bool holds(const void* at, size_t bytes) {
  std::lock_guard<std::recursive_mutex> guard(one);
  return isHeld(reinterpret_cast<uintptr_t>(at), bytes);
}

void submit(void* stream, std::function<void()> work) {
  std::lock_guard<std::recursive_mutex> guard(one);
  Stream& s = of(stream);
  if (s.captures != nullptr) {
    s.captures->push_back(std::move(work));
  } else {
    s.queue.push_back(std::move(work));
    s.submitted++;
  }
}

}  // namespace emulator

#define DYR_DRIVER extern "C" __attribute__((visibility("default"))) int

DYR_DRIVER cuInit(unsigned) { return SUCCESS; }

DYR_DRIVER cuDriverGetVersion(int* version) {
  *version = 13000;
  return SUCCESS;
}

DYR_DRIVER cuDeviceGetCount(int* count) {
  *count = 1;
  return SUCCESS;
}

DYR_DRIVER cuDeviceGet(int* device, int number) {
  *device = number;
  return number == 0 ? SUCCESS : INVALID_DEVICE;
}

DYR_DRIVER cuDeviceGetName(char* name, int size, int) {
  std::strncpy(name, "emulated, on the processor", size);
  return SUCCESS;
}

DYR_DRIVER cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case MULTIPROCESSORS: *value = 2; break;
    case COMPUTE_MAJOR: *value = 9; break;
    case COMPUTE_MINOR: *value = 0; break;
    case SHARED_OPT_IN: *value = emulator::MOST_SHARED; break;
    default: return INVALID_VALUE;
  }
  return SUCCESS;
}

DYR_DRIVER cuDevicePrimaryCtxRetain(void** context, int) {
  *context = &memory;
  return SUCCESS;
}

DYR_DRIVER cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }

DYR_DRIVER cuCtxSetCurrent(void*) { return SUCCESS; }

DYR_DRIVER cuGetErrorName(int code, const char** name) {
  switch (code) {
    case SUCCESS: *name = "CUDA_SUCCESS"; break;
    case INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case emulator::LAUNCH_FAILED: *name = "CUDA_ERROR_LAUNCH_FAILED"; break;
    default: *name = "CUDA_ERROR"; break;
  }
  return SUCCESS;
}

DYR_DRIVER cuMemGetInfo_v2(size_t* free, size_t* total) {
  DYR_GUARDED;
  *free = DEVICE_BYTES - held;
  *total = DEVICE_BYTES;
  return SUCCESS;
}

DYR_DRIVER cuMemAlloc_v2(uintptr_t* address, size_t bytes) {
  DYR_GUARDED;
  if (bytes == 0) return INVALID_VALUE;
  if (held + bytes > DEVICE_BYTES) return OUT_OF_MEMORY;
  void* block = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (block == nullptr) return OUT_OF_MEMORY;
  std::memset(block, 0xA5, bytes);  // a device promises nothing
  *address = reinterpret_cast<uintptr_t>(block);
  memory[*address] = bytes;
  held += bytes;
  return SUCCESS;
}

DYR_DRIVER cuMemFree_v2(uintptr_t address) {
  DYR_GUARDED;
  auto block = memory.find(address);
  if (block == memory.end()) return INVALID_VALUE;
  held -= block->second;
  memory.erase(block);
  std::free(reinterpret_cast<void*>(address));
  return SUCCESS;
}

DYR_DRIVER cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  *address = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  return *address == nullptr ? OUT_OF_MEMORY : SUCCESS;
}

DYR_DRIVER cuMemFreeHost(void* address) {
  std::free(address);
  return SUCCESS;
}

DYR_DRIVER cuMemcpyHtoDAsync_v2(uintptr_t to, const void* from, size_t bytes, void* stream) {
  DYR_GUARDED;
  if (!isHeld(to, bytes)) return INVALID_VALUE;
  emulator::submit(stream, [=] { std::memcpy(reinterpret_cast<void*>(to), from, bytes); });
  return SUCCESS;
}

DYR_DRIVER cuMemcpyDtoHAsync_v2(void* to, uintptr_t from, size_t bytes, void* stream) {
  DYR_GUARDED;
  if (!isHeld(from, bytes)) return INVALID_VALUE;
  emulator::submit(stream, [=] { std::memcpy(to, reinterpret_cast<void*>(from), bytes); });
  return SUCCESS;
}

DYR_DRIVER cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, void* stream) {
  DYR_GUARDED;
  if (!isHeld(to, bytes) || !isHeld(from, bytes)) return INVALID_VALUE;
  emulator::submit(stream, [=] { std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes); });
  return SUCCESS;
}

DYR_DRIVER cuMemsetD8Async(uintptr_t to, unsigned char value, size_t bytes, void* stream) {
  DYR_GUARDED;
  if (!isHeld(to, bytes)) return INVALID_VALUE;
  emulator::submit(stream, [=] { std::memset(reinterpret_cast<void*>(to), value, bytes); });
  return SUCCESS;
}

DYR_DRIVER cuMemsetD2D16Async(uintptr_t to, size_t pitch, unsigned short value, size_t columns, size_t rows,
                              void* stream) {
  DYR_GUARDED;
  bool overlap = rows > 1 && pitch < columns * sizeof value, odd = to % sizeof value != 0 || pitch % sizeof value != 0;
  if (columns == 0 || rows == 0 || overlap || odd) return INVALID_VALUE;
  if (!isHeld(to, pitch * (rows - 1) + columns * sizeof value)) return INVALID_VALUE;
  emulator::submit(stream, [=] {
    for (size_t r = 0; r < rows; r++) std::fill_n(reinterpret_cast<unsigned short*>(to + r * pitch), columns, value);
  });
  return SUCCESS;
}

DYR_DRIVER cuStreamCreate(void** stream, unsigned) {
  *stream = new Stream;
  return SUCCESS;
}

DYR_DRIVER cuStreamDestroy_v2(void* stream) {
  DYR_GUARDED;
  Stream& s = of(stream);
  drain(s, s.submitted);
  delete &s;
  return status;
}

DYR_DRIVER cuStreamSynchronize(void* stream) {
  DYR_GUARDED;
  Stream& s = of(stream);
  if (s.captures != nullptr) return CAPTURE_UNSUPPORTED;
  drain(s, s.submitted);
  return status;
}

DYR_DRIVER cuStreamWaitEvent(void* stream, void* event, unsigned) {
  DYR_GUARDED;
  Event at = *static_cast<Event*>(event);
  if (at.stream != nullptr) emulator::submit(stream, [=] { drain(*at.stream, at.after); });
  return SUCCESS;
}

DYR_DRIVER cuEventCreate(void** event, unsigned) {
  *event = new Event;
  return SUCCESS;
}

DYR_DRIVER cuEventDestroy_v2(void* event) {
  delete static_cast<Event*>(event);
  return SUCCESS;
}

DYR_DRIVER cuEventRecord(void* event, void* stream) {
  DYR_GUARDED;
  Stream& s = of(stream);
  if (s.captures != nullptr) return SUCCESS;
  auto reached = std::make_shared<Time>();
  emulator::submit(stream, [=] { *reached = std::chrono::steady_clock::now(); });
  *static_cast<Event*>(event) = {&s, s.submitted, reached};
  return SUCCESS;
}

DYR_DRIVER cuEventElapsedTime_v2(float* milliseconds, void* from, void* to) {
  DYR_GUARDED;
  Event &begin = *static_cast<Event*>(from), &end = *static_cast<Event*>(to);
  if (begin.reached == nullptr || end.reached == nullptr) return INVALID_HANDLE;
  if (*begin.reached == Time() || *end.reached == Time()) return NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(*end.reached - *begin.reached).count();
  return SUCCESS;
}

DYR_DRIVER cuEventSynchronize(void* event) {
  DYR_GUARDED;
  Event& e = *static_cast<Event*>(event);
  if (e.stream != nullptr) drain(*e.stream, e.after);
  return status;
}

DYR_DRIVER cuStreamBeginCapture_v2(void* stream, int) {
  DYR_GUARDED;
  if (of(stream).captures != nullptr) return INVALID_VALUE;
  of(stream).captures = new Graph;
  return SUCCESS;
}

DYR_DRIVER cuStreamEndCapture(void* stream, void** graph) {
  DYR_GUARDED;
  Stream& s = of(stream);
  if (s.captures == nullptr) return INVALID_VALUE;
  *graph = s.captures;
  s.captures = nullptr;
  return SUCCESS;
}

DYR_DRIVER cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  *executable = new Graph(*static_cast<Graph*>(graph));
  return SUCCESS;
}

DYR_DRIVER cuGraphLaunch(void* executable, void* stream) {
  DYR_GUARDED;
  for (const Work& work : *static_cast<Graph*>(executable)) emulator::submit(stream, work);
  return SUCCESS;
}

DYR_DRIVER cuGraphExecDestroy(void* executable) {
  delete static_cast<Graph*>(executable);
  return SUCCESS;
}

DYR_DRIVER cuGraphDestroy(void* graph) {
  delete static_cast<Graph*>(graph);
  return SUCCESS;
}

// Modules: a "cubin" is a shared object that the stand-in for NVRTC has made.

DYR_DRIVER cuModuleLoadData(void** module, const void* image) {
  DYR_GUARDED;
  const Elf64_Ehdr& header = *static_cast<const Elf64_Ehdr*>(image);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_X86_64) return INVALID_IMAGE;
  size_t bytes = header.e_shoff + size_t(header.e_shentsize) * header.e_shnum;  // linkers put that table last
  char name[] = "/tmp/emulated-module-XXXXXX";  // of its own: what has the name of a loaded one is taken for that
  int file = mkstemp(name);
  bool written = file >= 0 && write(file, image, bytes) == static_cast<ssize_t>(bytes);
  *module = written ? dlopen(name, RTLD_NOW | RTLD_LOCAL) : nullptr;
  const char* why = written ? dlerror() : "a module cannot be written to /tmp";
  if (*module == nullptr) std::fprintf(stderr, "emulator: %s\n", why);
  close(file);
  unlink(name);
  return *module != nullptr ? SUCCESS : INVALID_IMAGE;
}

DYR_DRIVER cuModuleGetFunction(void** function, void* module, const char* name) {
  *function = dlsym(module, (std::string(name) + "_launch").c_str());
  return *function != nullptr ? SUCCESS : NOT_FOUND;
}

DYR_DRIVER cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                          unsigned blockY, unsigned blockZ, unsigned shared, void* stream, void** parameters,
                          void** extra) {
  DYR_GUARDED;
  if (extra != nullptr || gridX == 0 || blockX == 0) return INVALID_VALUE;
  auto launch = reinterpret_cast<void (*)(dim3, dim3, size_t, void*, void**)>(function);
  launch(dim3(gridX, gridY, gridZ), dim3(blockX, blockY, blockZ), shared, stream, parameters);
  return SUCCESS;
}

DYR_DRIVER cuModuleUnload(void* module) {
  DYR_GUARDED;
  return dlclose(module) == 0 ? SUCCESS : INVALID_HANDLE;
}
