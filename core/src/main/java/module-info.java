/** The engine: tensors, ops, devices, graphs, the CPU, BERT, losses, optimizers. Needs nothing but the JDK. */
module org.dyr.core {
  requires static jdk.incubator.vector;

  exports org.dyr.tensor;
  exports org.dyr.op;
  exports org.dyr.device;
  exports org.dyr.collective;
  exports org.dyr.graph;
  exports org.dyr.cpu;
  exports org.dyr.nn;
  exports org.dyr.loss;
  exports org.dyr.optim;
  exports org.dyr.io;

  uses org.dyr.device.DeviceProvider;
  uses org.dyr.cpu.CpuKernelSetProvider;
  uses org.dyr.graph.Fusions.Provider;

  provides org.dyr.device.DeviceProvider with org.dyr.cpu.CpuProvider;
  provides org.dyr.cpu.CpuKernelSetProvider
      with org.dyr.cpu.reference.ReferenceProvider, org.dyr.cpu.vector.VectorProvider;
}
