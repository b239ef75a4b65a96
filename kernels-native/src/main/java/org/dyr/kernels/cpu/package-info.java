/**
 * Kernel sets for the CPU that call native code through JavaCPP. A kernel set is a provider, a set, and kernels. Our
 * own in C++: {@link org.dyr.kernels.cpu.NativeProvider} says whether the library is there, {@code Instructions} which
 * instruction set is taken, {@code NativeKernels} which ops there are kernels for, {@code Binding} shares the ranges of
 * native calls out to the workers, {@code NativeCalls} has the functions. OpenBLAS: {@code OpenBlasGemm} is the kernel.
 * A library that is missing is a reason in {@code dyr info}, never a failure. Imports core's tensor, op, device and
 * cpu.
 */
package org.dyr.kernels.cpu;
