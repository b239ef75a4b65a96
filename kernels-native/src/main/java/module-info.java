/** Native kernels for the CPU: our own in C++, whose sources are in src/main/cpp, and OpenBLAS. */
module org.dyr.kernels.cpu {
  requires org.dyr.core;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.openblas;

  provides org.dyr.cpu.CpuKernelSetProvider
      with org.dyr.kernels.cpu.NativeProvider, org.dyr.kernels.cpu.OpenBlasProvider;
}
