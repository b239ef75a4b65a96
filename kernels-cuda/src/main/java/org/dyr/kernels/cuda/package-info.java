/**
 * The device {@code cuda}. {@code CudaProbe} says whether there is a driver and a card, {@code CudaLibrary} loads the
 * kernels, {@code Driver} and {@code Blas} list every function of NVIDIA's that is called, {@code CudaBackend} owns
 * memory and the stream, {@code CublasLtKernels} multiplies matrices, {@code CudaKernels} says which other ops there are
 * kernels for, {@code CudaCalls} has the functions. {@code Pointwise} is a chain of ops of one element each,
 * {@code PointwiseFusion} finds them, {@code PointwiseSource} writes their kernel, {@code Nvrtc} compiles it,
 * {@code GeneratedKernels} launches it. Where a driver or a card is missing, a line in {@code dyr info} says so. Imports
 * core's tensor, op, device, io and the rows of graph.
 */
package org.dyr.kernels.cuda;
