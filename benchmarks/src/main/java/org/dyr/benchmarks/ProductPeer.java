package org.dyr.benchmarks;

/** Another library's matrix products. Found by {@code ServiceLoader}; needs the JDK alone, for the peers' module. */
public interface ProductPeer {

  /** Name and version. */
  String title();

  /**
   * Prepares a product over memory of the caller, row after row.
   *
   * @param packed whether b is brought into the library's own layout now, and not at each call
   */
  Runnable prepare(Product product, int threads, boolean packed, long a, long b, long c);
}
