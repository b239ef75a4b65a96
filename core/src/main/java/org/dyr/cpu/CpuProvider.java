package org.dyr.cpu;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import org.dyr.cpu.widening.WideningKernels;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.DeviceProvider;
import org.dyr.device.KernelSet;

/** Offers the device {@code cpu}: every kernel set on the path that can run here, the preferred first. */
public final class CpuProvider implements DeviceProvider {

  @Override public String name() {
    return "cpu";
  }

  private static List<CpuKernelSetProvider> sets() {
    List<CpuKernelSetProvider> found = new ArrayList<>();
    ServiceLoader.load(CpuKernelSetProvider.class, CpuProvider.class.getClassLoader()).forEach(found::add);
    found.sort(Comparator.comparingInt(CpuKernelSetProvider::preference).reversed());
    return found;
  }

  @Override public List<String> report() {
    List<String> lines = new ArrayList<>();
    for (CpuKernelSetProvider p : sets()) {
      lines.add(p.name() + ": " + p.unavailableOnceTried().map(why -> "not taken: " + why).orElseGet(p::describe));
    }
    lines.add("bf16, fp16: where no set above has the kernel, operands are widened to fp32, results rounded");
    return lines;
  }

  /** With a name pinned, the stack begins at that set, which must be here: those preferred to it are left out. */
  @Override public Backend open(DeviceOptions options) {
    List<CpuKernelSetProvider> offered = sets();
    boolean auto = options.kernels().equals(DeviceOptions.AUTO);
    boolean reached = auto;
    List<CpuKernelSetProvider> taken = new ArrayList<>();
    for (CpuKernelSetProvider p : offered) {
      boolean named = p.name().equals(options.kernels());
      Optional<String> why = named ? p.unavailableOnceTried() : p.unavailable();
      if (named) {
        if (why.isPresent()) throw new IllegalArgumentException("kernel set '%s': %s".formatted(p.name(), why.get()));
        reached = true;
      }
      if (reached && why.isEmpty()) taken.add(p);
    }
    if (!reached) {
      throw new IllegalArgumentException("no kernel set '%s'; there are auto and %s".formatted(options.kernels(),
          offered.stream().map(CpuKernelSetProvider::name).toList()));
    }
    if (!options.cpuFeatures().equals(DeviceOptions.AUTO) && taken.stream().allMatch(p -> p.cpuFeatures().isEmpty())) {
      throw new IllegalArgumentException("cpu features %s: no kernel set taken here has a choice of them; taken are %s"
          .formatted(options.cpuFeatures(), taken.stream().map(CpuKernelSetProvider::name).toList()));
    }
    Workers workers = new Workers(options.threads());
    List<KernelSet> stack = new ArrayList<>();
    try {
      for (CpuKernelSetProvider p : taken) stack.add(p.create(workers, options));
    } catch (RuntimeException e) {
      workers.close();
      throw e;
    }
    int floor = stack.size() - 1; // the plain loops are always the last
    if (floor > 0) stack.add(floor, new WideningKernels(stack.subList(0, floor), workers));
    PeakLoop peak = offered.stream().filter(p -> p.unavailable().isEmpty()).flatMap(p -> p.peakLoop().stream())
        .findFirst()
        .orElse(PeakLoop.SCALAR);
    return new CpuBackend(workers, stack, peak);
  }
}
