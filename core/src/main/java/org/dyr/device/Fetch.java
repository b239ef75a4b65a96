package org.dyr.device;

/** A copy to the host that may still be under way. */
@FunctionalInterface
public interface Fetch {
  /** One that has arrived. */
  Fetch DONE = () -> {};

  /** Returns when the host's memory has it. */
  void await();
}
