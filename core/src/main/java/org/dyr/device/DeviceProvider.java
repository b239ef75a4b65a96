package org.dyr.device;

import java.util.List;

/** How a module offers a device; found by {@link java.util.ServiceLoader}. Asking must be cheap and must not fail. */
public interface DeviceProvider {

  String name();

  /** One line on each kernel set and the device itself: taken, or the reason why not. For {@code dyr info}. */
  List<String> report();

  /**
   * Opens the device.
   *
   * @throws IllegalArgumentException when the options name a kernel set that is not here, with the reason
   */
  Backend open(DeviceOptions options);
}
