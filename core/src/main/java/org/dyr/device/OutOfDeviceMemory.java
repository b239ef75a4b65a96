package org.dyr.device;

/** A device refused an allocation. */
public final class OutOfDeviceMemory extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public OutOfDeviceMemory(String message, Throwable cause) {
    super(message, cause);
  }
}
