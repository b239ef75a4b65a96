/** Native kernels for the CPU: OpenBLAS today; kernels of our own in C++ have their place in src/main/cpp. */
module org.dyr.kernels.cpu {
  requires org.dyr.core;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.openblas;

  provides org.dyr.cpu.CpuKernelSetProvider with org.dyr.kernels.cpu.OpenBlasProvider;
}
