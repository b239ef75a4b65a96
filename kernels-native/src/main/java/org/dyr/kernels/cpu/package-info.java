/**
 * Kernel sets for the CPU that call native code through JavaCPP. A kernel set is a provider, a set, and kernels:
 * {@link org.dyr.kernels.cpu.OpenBlasProvider} says whether the library can be used here and why not, {@code OpenBlas}
 * says which ops it takes, {@code OpenBlasGemm} is the kernel. A library that is missing is a reason in
 * {@code dyr info}, never a failure. Imports core's tensor, op, device and cpu.
 */
package org.dyr.kernels.cpu;
