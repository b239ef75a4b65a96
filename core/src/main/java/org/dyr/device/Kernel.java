package org.dyr.device;

/** An op bound to its operands, its algorithm chosen. Launching allocates nothing and checks nothing. */
@FunctionalInterface
public interface Kernel {
  void launch();

  /** Gives back what the device holds for it; it is not launched again. */
  default void close() {}
}
