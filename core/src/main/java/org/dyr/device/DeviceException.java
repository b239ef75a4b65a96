package org.dyr.device;

/** A device failed to do what it was asked: the message has its status and, once a program knows, the op and its place. */
public final class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public DeviceException(String message) {
    super(message);
  }

  /** The same, with the place where it showed. */
  public DeviceException at(String place) {
    DeviceException e = new DeviceException(getMessage() + "   at " + place);
    e.initCause(this);
    return e;
  }
}
