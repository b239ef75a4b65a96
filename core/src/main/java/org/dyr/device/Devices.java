package org.dyr.device;

import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/** The devices that the modules on the path offer. */
public final class Devices {
  private Devices() {}

  public static List<DeviceProvider> providers() {
    List<DeviceProvider> found = new ArrayList<>();
    ServiceLoader.load(DeviceProvider.class, Devices.class.getClassLoader()).forEach(found::add);
    return found;
  }

  /**
   * Opens a device by name.
   *
   * @throws IllegalArgumentException when no module offers it; the message lists those that are here
   */
  public static Backend open(String name, DeviceOptions options) {
    List<String> known = new ArrayList<>();
    for (DeviceProvider p : providers()) {
      if (p.name().equals(name)) return p.open(options);
      known.add(p.name());
    }
    throw new IllegalArgumentException("no device '%s' here; there are %s".formatted(name, known));
  }
}
