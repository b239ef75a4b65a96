package org.dyr.kernels.cuda;

import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.Kernel;

/** The device's own clock. */
final class Stopwatch {
  private Stopwatch() {}

  /** The time that so many launches take one after another, once one has gone before them. */
  static double milliseconds(CUstream_st stream, int launches, Kernel kernel) {
    kernel.launch();
    return milliseconds(stream, () -> {
      for (int i = 0; i < launches; i++) kernel.launch();
    });
  }

  /** From when the stream has reached what is launched until it has done it. */
  static double milliseconds(CUstream_st stream, Kernel kernel) {
    CUevent_st begin = Driver.createEvent(), end = Driver.createEvent();
    try {
      Driver.record(begin, stream);
      kernel.launch();
      Driver.record(end, stream);
      Driver.synchronize(end);
      return Driver.milliseconds(begin, end);
    } finally {
      Driver.destroy(begin);
      Driver.destroy(end);
    }
  }
}
