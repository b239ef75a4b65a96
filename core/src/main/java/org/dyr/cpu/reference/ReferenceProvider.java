package org.dyr.cpu.reference;

import java.util.Optional;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.cpu.Workers;
import org.dyr.device.DeviceOptions;
import org.dyr.device.KernelSet;

/** The floor of the stack: always there. */
public final class ReferenceProvider implements CpuKernelSetProvider {

  @Override public String name() {
    return "reference";
  }

  @Override public int preference() {
    return 0;
  }

  @Override public Optional<String> unavailable() {
    return Optional.empty();
  }

  @Override public String describe() {
    return "plain loops in double, one thread, every primitive op";
  }

  @Override public KernelSet create(Workers workers, DeviceOptions options) {
    return new Reference();
  }
}
