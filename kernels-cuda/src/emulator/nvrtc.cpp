// Stands in for libnvrtc.so.13: g++ compiles the text against emulator.h, which lies beside this library, and the
// shared object is the "cubin". Options are not looked at. A function NAME_launch is added for each kernel: the
// driver's way in.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

namespace {

struct Program {
  std::string text, log, cubin;
};

enum Status { SUCCESS = 0, COMPILATION = 6 };

const char* const BEFORE = R"(#include <tuple>
#include <utility>

#include "emulator.h"
#undef __global__
#define __global__
)";

// Parameters are taken when the launch is asked for, as a driver does; the kernel runs when somebody waits.
const char* const BEHIND = R"(
template <class... A, size_t... I>
void launchWith(void (*kernel)(A...), dim3 grid, dim3 block, size_t shared, void* stream, void** at,
                std::index_sequence<I...>) {
  std::tuple<A...> values(*static_cast<A*>(at[I])...);
  emulator::submit(stream, [=] { emulator::run(grid, block, shared, [&] { std::apply(kernel, values); }); });
}
template <class... A>
void launch(void (*kernel)(A...), dim3 grid, dim3 block, size_t shared, void* stream, void** at) {
  launchWith(kernel, grid, block, shared, stream, at, std::index_sequence_for<A...>());
}
#define DYR_LAUNCHER(kernel)                                                                         \
  extern "C" void kernel##_launch(dim3 grid, dim3 block, size_t shared, void* stream, void** at) {   \
    launch(kernel, grid, block, shared, stream, at);                                                 \
  }
)";

std::string read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/** The folder of this library. */
std::string home() {
  Dl_info info;
  dladdr(reinterpret_cast<void*>(&home), &info);
  std::string file = info.dli_fname;
  return file.substr(0, file.rfind('/'));
}

}  // namespace

#define DYR_NVRTC extern "C" __attribute__((visibility("default")))

/** Not a version of NVIDIA's: 0, and what the emulator is made from. No other's cubins are taken for its own. */
DYR_NVRTC int nvrtcVersion(int* major, int* minor) {
  *major = 0;
  *minor = DYR_EMULATOR;
  return SUCCESS;
}

DYR_NVRTC const char* nvrtcGetErrorString(int status) {
  return status == SUCCESS ? "NVRTC_SUCCESS" : "NVRTC_ERROR_COMPILATION";
}

DYR_NVRTC int nvrtcCreateProgram(void** program, const char* text, const char*, int, const char* const*,
                                 const char* const*) {
  *program = new Program{text, "", ""};
  return SUCCESS;
}

DYR_NVRTC int nvrtcDestroyProgram(void** program) {
  delete static_cast<Program*>(*program);
  *program = nullptr;
  return SUCCESS;
}

DYR_NVRTC int nvrtcCompileProgram(void* program, int, const char* const*) {
  Program& p = *static_cast<Program*>(program);
  char folder[] = "/tmp/emulated-nvrtc-XXXXXX";
  if (mkdtemp(folder) == nullptr) return COMPILATION;
  std::string at = folder, made = at + "/kernel.so", log = at + "/log", source = at + "/kernel.cpp";
  {
    std::ofstream out(source);
    out << BEFORE << p.text << BEHIND;
    std::regex kernel(R"(__global__ void(?: __launch_bounds__\(\d+\))? (\w+)\()");
    for (std::sregex_iterator k(p.text.begin(), p.text.end(), kernel), end; k != end; ++k) {
      out << "DYR_LAUNCHER(" << (*k)[1] << ")\n";
    }
  }
  std::string command = "g++ -O1 -std=c++17 -fPIC -shared -Wall -Werror -Wno-unknown-pragmas -ffp-contract=off '-I"
      + home() + "' -o " + made + " " + source + " '" + home() + "/libcuda.so.1' >" + log + " 2>&1";
  int status = std::system(command.c_str());
  p.log = read(log);
  p.cubin = read(made);
  for (const std::string& file : {source, log, made}) unlink(file.c_str());
  rmdir(folder);
  return status == 0 ? SUCCESS : COMPILATION;
}

DYR_NVRTC int nvrtcGetCUBINSize(void* program, size_t* size) {
  *size = static_cast<Program*>(program)->cubin.size();
  return SUCCESS;
}

DYR_NVRTC int nvrtcGetCUBIN(void* program, char* cubin) {
  const std::string& from = static_cast<Program*>(program)->cubin;
  std::memcpy(cubin, from.data(), from.size());
  return SUCCESS;
}

DYR_NVRTC int nvrtcGetProgramLogSize(void* program, size_t* size) {
  *size = static_cast<Program*>(program)->log.size() + 1;
  return SUCCESS;
}

DYR_NVRTC int nvrtcGetProgramLog(void* program, char* log) {
  const std::string& from = static_cast<Program*>(program)->log;
  std::memcpy(log, from.c_str(), from.size() + 1);
  return SUCCESS;
}
