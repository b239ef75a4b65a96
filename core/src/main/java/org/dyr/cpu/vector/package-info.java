/**
 * Kernels in the Vector API, any width from 128 to 512 bits ({@link org.dyr.cpu.vector.Lanes}), for all cores. They
 * take addresses of native memory ({@link org.dyr.cpu.vector.Ram}). The matrix product is
 * {@link org.dyr.cpu.vector.Sgemm} over {@link org.dyr.cpu.vector.Panels} and {@link org.dyr.cpu.vector.Tile}, which a
 * worker may also use alone. Nothing outside may load a class of this package before it knows that the module
 * {@code jdk.incubator.vector} is there. Imports cpu and what it imports.
 */
package org.dyr.cpu.vector;
