// Stands in for libcublasLt.so.13: the products that Blas.java asks for, plain loops put on the stream like kernels.
// What the library refuses is refused, with its status. An algorithm is its number and what it was proposed for.
#include "engine.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#pragma GCC optimize("O3")

// The widest vectors that the processor has.
#define DYR_VECTORS __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum DataType { UNSET = -1, REAL_32 = 0, REAL_16 = 2, REAL_BF16 = 14 };
enum Compute { COMPUTE_32F = 68 };
enum Transpose { PLAIN = 0, TRANSPOSED = 1 };
enum Epilogue { DEFAULT = 1, BIAS = 4 };
enum OperationAttribute { TRANS_A = 3, TRANS_B = 4, EPILOGUE = 7, BIAS_POINTER = 8, BIAS_DATA_TYPE = 26 };
enum PreferenceAttribute { MOST_WORKSPACE = 1, REDUCTIONS = 3, ALIGNMENT_A = 5, ALIGNMENT_D = 8 };

constexpr int ILLEGAL_ADDRESS = 700;  // the driver's
constexpr int MOST_ALGORITHMS = 4;
constexpr uint64_t MARK = 0x6479722d656d756c;
constexpr size_t WORKSPACE_ALIGNMENT = 256;

/**
 * What the algorithms differ in. The first two are wrong as some of the library's are, beside a bias where a column of d
 * is no multiple of 16 bytes: they round to d's type a sum before anything is added, and what the bias is added to. The
 * last is proposed and then refused.
 */
enum Number : uint64_t { ROUNDS_SUM = 0, ROUNDS_BEFORE_BIAS = 1, REFUSED = 3 };
constexpr size_t GOOD_COLUMN = 16;

/** What an algorithm wants: all want some, to have it written to. */
size_t workspaceOf(uint64_t algorithm) { return 1024 * (algorithm + 1); }

struct Operation {
  int compute, scale, transA = PLAIN, transB = PLAIN, biasType = UNSET;
  unsigned epilogue = DEFAULT;
  const void* bias = nullptr;
};

/** By columns. */
struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t leading;
};

struct Preference {
  uint64_t mostWorkspace = 0;
  unsigned reductions = 7;
  unsigned alignment[4] = {256, 256, 256, 256};  // of a, b, c, d
};

struct Algorithm {
  uint64_t mark, number, alignment, reserved[5];
};
static_assert(sizeof(Algorithm) == 64, "cublasLtMatmulAlgo_t");

struct Proposal {
  Algorithm algorithm;
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Proposal) == 96, "cublasLtMatmulHeuristicResult_t");

size_t bytesOf(int type) { return type == REAL_32 ? 4 : 2; }

bool isType(int type) { return type == REAL_32 || type == REAL_16 || type == REAL_BF16; }

float widen(float x) { return x; }
float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
float widen(__half x) { return __half2float(x); }
void narrow(float x, float& to) { to = x; }
void narrow(float x, __nv_bfloat16& to) { to = __float2bfloat16(x); }
void narrow(float x, __half& to) { to = __float2half(x); }

/** x as T stores it. */
template <class T>
float rounded(float x) {
  T stored;
  narrow(x, stored);
  return widen(stored);
}

/** f(pointer of the storage type). */
template <class P, class F>
void typed(int type, P* at, const F& f) {
  constexpr bool constant = std::is_const<P>::value;
  switch (type) {
    case REAL_32: return f(reinterpret_cast<std::conditional_t<constant, const float, float>*>(at));
    case REAL_16: return f(reinterpret_cast<std::conditional_t<constant, const __half, __half>*>(at));
    default: return f(reinterpret_cast<std::conditional_t<constant, const __nv_bfloat16, __nv_bfloat16>*>(at));
  }
}

/** to (rows, columns) by columns without gaps = the matrix, transposed where asked. */
std::vector<float> widened(const Layout& l, const void* from, bool transposed) {
  std::vector<float> to(l.rows * l.columns);
  typed(l.type, static_cast<const char*>(from), [&](auto x) {
    for (uint64_t c = 0; c < l.columns; c++) {
      for (uint64_t r = 0; r < l.rows; r++) {
        to[transposed ? r * l.columns + c : c * l.rows + r] = widen(x[c * l.leading + r]);
      }
    }
  });
  return to;
}

constexpr int TILE_ROWS = 64, TILE_COLUMNS = 4, DEPTH = 256;

/** sums (64 rows, 4 columns) += a (rows m apart, 64 of them) times b (4 columns, k apart), over a part of the depth. */
DYR_VECTORS void tile(const float* a, int64_t m, const float* b, int64_t k, int depth, float* sums) {
  float part[TILE_COLUMNS][TILE_ROWS] = {};
  for (int p = 0; p < depth; p++) {
    for (int c = 0; c < TILE_COLUMNS; c++) {
      float y = b[c * k + p];
      for (int r = 0; r < TILE_ROWS; r++) part[c][r] += a[p * m + r] * y;
    }
  }
  for (int c = 0; c < TILE_COLUMNS; c++) {
    for (int r = 0; r < TILE_ROWS; r++) sums[c * TILE_ROWS + r] += part[c][r];
  }
}

int64_t roundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/** A copy of (rows, columns) with zeros around it. */
std::vector<float> padded(const std::vector<float>& from, int64_t rows, int64_t columns, int64_t toRows,
                          int64_t toColumns) {
  std::vector<float> to(toRows * toColumns);
  for (int64_t c = 0; c < columns; c++) std::copy_n(&from[c * rows], rows, &to[c * toRows]);
  return to;
}

/** d = alpha op(a) op(b) + beta c [+ bias]; parts of 256 of the depth are summed first, then their sums. */
struct Product {
  Operation operation;
  Layout aLayout, bLayout, cLayout, dLayout;
  const void *a, *b, *c;
  void *d, *workspace;
  float alpha, beta;
  size_t workspaceBytes;
  uint64_t algorithm;

  void operator()() const {
    if (!isHeld(aLayout, a) || !isHeld(bLayout, b) || !isHeld(dLayout, d) || (beta != 0 && !isHeld(cLayout, c))
        || !emulator::holds(workspace, workspaceBytes)
        || (operation.epilogue == BIAS && !emulator::holds(operation.bias, dLayout.rows * bytesOf(dLayout.type)))) {
      std::fprintf(stderr, "emulator: a matrix product reaches outside of the device's memory\n");
      return emulator::fail(ILLEGAL_ADDRESS);
    }
    std::memset(workspace, 0x5A, workspaceBytes);
    int64_t m = dLayout.rows, n = dLayout.columns, k = operation.transA ? aLayout.rows : aLayout.columns;
    int64_t mPadded = roundUp(m, TILE_ROWS), nPadded = roundUp(n, TILE_COLUMNS);
    std::vector<float> left = padded(widened(aLayout, a, operation.transA), m, k, mPadded, k);
    std::vector<float> right = padded(widened(bLayout, b, operation.transB), k, n, k, nPadded);
    bool wrong = operation.epilogue == BIAS && m * bytesOf(dLayout.type) % GOOD_COLUMN != 0;
    bool roundsSum = wrong && algorithm == ROUNDS_SUM, roundsBeforeBias = wrong && algorithm == ROUNDS_BEFORE_BIAS;
    typed(dLayout.type, static_cast<char*>(d), [&](auto to) {
      typedef std::remove_pointer_t<decltype(to)> T;
      auto addend = static_cast<decltype(to)>(const_cast<void*>(c));
      auto bias = static_cast<decltype(to)>(const_cast<void*>(operation.bias));
      for (int64_t column = 0; column < n; column += TILE_COLUMNS) {
        for (int64_t row = 0; row < m; row += TILE_ROWS) {
          float sums[TILE_COLUMNS * TILE_ROWS] = {};
          for (int64_t p = 0; p < k; p += DEPTH) {
            tile(&left[p * mPadded + row], mPadded, &right[column * k + p], k, std::min<int64_t>(DEPTH, k - p), sums);
          }
          for (int64_t j = column; j < std::min(n, column + TILE_COLUMNS); j++) {
            for (int64_t i = row; i < std::min(m, row + TILE_ROWS); i++) {
              float sum = alpha * sums[(j - column) * TILE_ROWS + i - row];
              if (roundsSum) sum = rounded<T>(sum);
              if (beta != 0) sum += beta * widen(addend[j * cLayout.leading + i]);
              if (roundsBeforeBias) sum = rounded<T>(sum);
              if (operation.epilogue == BIAS) sum += widen(bias[i]);
              narrow(sum, to[j * dLayout.leading + i]);
            }
          }
        }
      }
    });
  }

  static bool isHeld(const Layout& l, const void* at) {
    return emulator::holds(at, (l.leading * (l.columns - 1) + l.rows) * bytesOf(l.type));
  }
};

/** Whether the library would multiply such matrices. */
Status examine(const Operation& o, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  for (const Layout* l : {&a, &b, &c, &d}) {
    if (l->rows == 0 || l->columns == 0 || l->leading < static_cast<int64_t>(l->rows)) return INVALID_VALUE;
  }
  uint64_t m = o.transA ? a.columns : a.rows, k = o.transA ? a.rows : a.columns;
  uint64_t n = o.transB ? b.rows : b.columns, depth = o.transB ? b.columns : b.rows;
  if (depth != k || d.rows != m || d.columns != n || c.rows != m || c.columns != n) return INVALID_VALUE;
  if (o.compute != COMPUTE_32F || o.scale != REAL_32) return NOT_SUPPORTED;
  if (a.type != b.type || c.type != d.type || (d.type != a.type && d.type != REAL_32)) return NOT_SUPPORTED;
  if (o.epilogue != DEFAULT && o.epilogue != BIAS) return NOT_SUPPORTED;
  if (o.epilogue == BIAS && o.biasType != UNSET && o.biasType != d.type) return NOT_SUPPORTED;
  return SUCCESS;
}

bool isAligned(const void* at, size_t to) { return reinterpret_cast<uintptr_t>(at) % to == 0; }

/** Reads an attribute of exactly this size. */
template <class T>
Status read(T& to, const void* from, size_t bytes) {
  if (from == nullptr || bytes != sizeof(T)) return INVALID_VALUE;
  std::memcpy(&to, from, bytes);
  return SUCCESS;
}

Status readTranspose(int& to, const void* from, size_t bytes) {
  int t = PLAIN;
  Status status = read(t, from, bytes);
  if (status != SUCCESS) return status;
  if (t != PLAIN && t != TRANSPOSED) return INVALID_VALUE;
  to = t;
  return SUCCESS;
}

}  // namespace

#define DYR_BLAS extern "C" __attribute__((visibility("default")))

DYR_BLAS size_t cublasLtGetVersion() { return 130000; }

DYR_BLAS const char* cublasLtGetStatusName(int status) {
  switch (status) {
    case SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "CUBLAS_STATUS_UNKNOWN";
  }
}

DYR_BLAS int cublasLtCreate(void** handle) {
  *handle = new int(0);
  return SUCCESS;
}

DYR_BLAS int cublasLtDestroy(void* handle) {
  delete static_cast<int*>(handle);
  return SUCCESS;
}

DYR_BLAS int cublasLtMatmulDescCreate(Operation** made, int compute, int scale) {
  *made = new Operation{compute, scale};
  return SUCCESS;
}

DYR_BLAS int cublasLtMatmulDescDestroy(Operation* operation) {
  delete operation;
  return SUCCESS;
}

DYR_BLAS int cublasLtMatmulDescSetAttribute(Operation* operation, int attribute, const void* value, size_t bytes) {
  if (operation == nullptr) return INVALID_VALUE;
  switch (attribute) {
    case TRANS_A: return readTranspose(operation->transA, value, bytes);
    case TRANS_B: return readTranspose(operation->transB, value, bytes);
    case EPILOGUE: return read(operation->epilogue, value, bytes);
    case BIAS_POINTER: return read(operation->bias, value, bytes);
    case BIAS_DATA_TYPE: return read(operation->biasType, value, bytes);
    default: return INVALID_VALUE;
  }
}

DYR_BLAS int cublasLtMatrixLayoutCreate(Layout** made, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  if (!isType(type)) return INVALID_VALUE;
  *made = new Layout{type, rows, columns, leading};
  return SUCCESS;
}

DYR_BLAS int cublasLtMatrixLayoutDestroy(Layout* layout) {
  delete layout;
  return SUCCESS;
}

DYR_BLAS int cublasLtMatmulPreferenceCreate(Preference** made) {
  *made = new Preference;
  return SUCCESS;
}

DYR_BLAS int cublasLtMatmulPreferenceDestroy(Preference* preference) {
  delete preference;
  return SUCCESS;
}

DYR_BLAS int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* value,
    size_t bytes) {
  if (preference == nullptr) return INVALID_VALUE;
  if (attribute == MOST_WORKSPACE) return read(preference->mostWorkspace, value, bytes);
  if (attribute == REDUCTIONS) return read(preference->reductions, value, bytes);
  if (attribute < ALIGNMENT_A || attribute > ALIGNMENT_D) return INVALID_VALUE;
  return read(preference->alignment[attribute - ALIGNMENT_A], value, bytes);
}

DYR_BLAS int cublasLtMatmulAlgoGetHeuristic(void* handle, const Operation* operation, const Layout* a, const Layout* b,
    const Layout* c, const Layout* d, const Preference* preference, int most, Proposal* proposals, int* count) {
  if (handle == nullptr) return NOT_INITIALIZED;
  if (!operation || !a || !b || !c || !d || !preference || !proposals || !count || most < 1) return INVALID_VALUE;
  Status status = examine(*operation, *a, *b, *c, *d);
  if (status != SUCCESS) return status;
  *count = 0;
  unsigned alignment = *std::min_element(preference->alignment, preference->alignment + 4);
  for (uint64_t number = 0; number < std::min<uint64_t>(most, MOST_ALGORITHMS); number++) {
    if (workspaceOf(number) > preference->mostWorkspace) break;
    proposals[(*count)++] = {{MARK, number, alignment, {}}, workspaceOf(number), SUCCESS, 1, {}};
  }
  return *count == 0 ? NOT_SUPPORTED : SUCCESS;
}

DYR_BLAS int cublasLtMatmulAlgoCheck(void* handle, const Operation* operation, const Layout* a, const Layout* b,
    const Layout* c, const Layout* d, const Algorithm* algorithm, Proposal* result) {
  if (handle == nullptr) return NOT_INITIALIZED;
  if (!operation || !a || !b || !c || !d || !algorithm || !result) return INVALID_VALUE;
  Status status = examine(*operation, *a, *b, *c, *d);
  if (status != SUCCESS) return status;
  if (algorithm->mark != MARK || algorithm->number >= MOST_ALGORITHMS) return NOT_SUPPORTED;
  *result = {*algorithm, workspaceOf(algorithm->number), SUCCESS, 1, {}};
  return SUCCESS;
}

DYR_BLAS int cublasLtMatmul(void* handle, const Operation* operation, const float* alpha, const void* a,
    const Layout* aLayout, const void* b, const Layout* bLayout, const float* beta, const void* c,
    const Layout* cLayout, void* d, const Layout* dLayout, const Algorithm* algorithm, void* workspace,
    size_t workspaceBytes, void* stream) {
  if (handle == nullptr) return NOT_INITIALIZED;
  if (!operation || !alpha || !beta || !aLayout || !bLayout || !cLayout || !dLayout || !algorithm) return INVALID_VALUE;
  if (!a || !b || !d || (*beta != 0 && !c)) return INVALID_VALUE;
  Status status = examine(*operation, *aLayout, *bLayout, *cLayout, *dLayout);
  if (status != SUCCESS) return status;
  if (operation->epilogue == BIAS && operation->bias == nullptr) return INVALID_VALUE;
  if (algorithm->mark != MARK || algorithm->number >= REFUSED) return NOT_SUPPORTED;
  if (workspaceBytes < workspaceOf(algorithm->number)) return INVALID_VALUE;
  if (!isAligned(workspace, WORKSPACE_ALIGNMENT)) return INVALID_VALUE;
  for (const void* at : {a, b, c, static_cast<const void*>(d)}) {
    if (!isAligned(at, algorithm->alignment)) return NOT_SUPPORTED;
  }
  if (operation->epilogue == BIAS && !isAligned(operation->bias, bytesOf(dLayout->type))) return NOT_SUPPORTED;
  emulator::submit(stream, Product{*operation, *aLayout, *bLayout, *cLayout, *dLayout, a, b, c, d, workspace, *alpha,
                                   *beta, workspaceBytes, algorithm->number});
  return SUCCESS;
}
