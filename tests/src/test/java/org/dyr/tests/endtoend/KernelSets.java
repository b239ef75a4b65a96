package org.dyr.tests.endtoend;

import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;

/** The CPU's kernel sets that can run here: a set on the path joins every test by itself. */
public final class KernelSets {
  private static final int THREADS = 2;

  private KernelSets() {}

  /** Their names, the preferred first. */
  public static List<String> names() {
    return ServiceLoader.load(CpuKernelSetProvider.class).stream().map(ServiceLoader.Provider::get)
        .filter(p -> p.unavailableOnceTried().isEmpty())
        .sorted(Comparator.comparingInt(CpuKernelSetProvider::preference).reversed())
        .map(CpuKernelSetProvider::name).toList();
  }

  /** The CPU with this set on top of the stack, two threads. */
  public static Backend open(String set) {
    return Devices.open("cpu", new DeviceOptions(THREADS, set));
  }
}
