// Between the two halves of the stand-in driver.
#pragma once

#include "emulator.h"

namespace emulator {

/** Of a block, as on sm_90: 227 KiB. */
constexpr size_t MOST_SHARED = 227 << 10;

/** CUDA_ERROR_LAUNCH_FAILED. */
constexpr int LAUNCH_FAILED = 719;

/** From now on every call answers with this status, as after a fault on a device. */
void fail(int status);

/** Whether the device's memory has all of these bytes allocated. */
bool holds(const void* at, size_t bytes);

}  // namespace emulator
