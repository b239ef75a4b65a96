/**
 * The CPU as a device: {@link org.dyr.cpu.CpuBackend} stacks kernel sets over one pool of {@link org.dyr.cpu.Workers}.
 * The sets of this module are {@link org.dyr.cpu.reference.Reference} (plain loops in double: the oracle) and
 * {@link org.dyr.cpu.vector.VectorKernels} (jdk.incubator.vector, all cores); others come through
 * {@link org.dyr.cpu.CpuKernelSetProvider}. Imports tensor, op and device.
 */
package org.dyr.cpu;
