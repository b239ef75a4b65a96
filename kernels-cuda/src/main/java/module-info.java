/** The device {@code cuda}: kernels of our own, whose sources are in src/main/cuda, and cuBLASLt. */
module org.dyr.kernels.cuda {
  requires org.dyr.core;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.cuda;

  provides org.dyr.device.DeviceProvider with org.dyr.kernels.cuda.CudaProvider;
  provides org.dyr.graph.Fusions.Provider with org.dyr.kernels.cuda.PointwiseFusion;
}
