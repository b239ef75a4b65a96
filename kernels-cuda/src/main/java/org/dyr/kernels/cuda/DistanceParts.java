package org.dyr.kernels.cuda;

/** In how many parts the gradient of a table of distances is summed: enough blocks for the largest card. */
final class DistanceParts {
  private static final int MOST = 264;
  private static final int ROWS = 64;

  private DistanceParts() {}

  static int count(int heads, int tokens) {
    return (int) Math.clamp((long) heads * tokens / ROWS, 1, MOST);
  }
}
