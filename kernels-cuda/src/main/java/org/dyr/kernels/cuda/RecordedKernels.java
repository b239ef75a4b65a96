package org.dyr.kernels.cuda;

import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.Kernel;

/**
 * Kernels that are recorded into a CUDA graph at their second launch: from then on a launch is one call. The first goes
 * kernel by kernel: the driver and cuBLASLt load what they launch when it is first launched, which need not be possible
 * while they record. Nobody else may use the stream meanwhile: what came in between would be recorded too. A card that
 * has no memory left for a graph launches kernel by kernel.
 */
final class RecordedKernels implements Kernel {
  private final Kernel[] kernels;
  private final CUctx_st context;
  private final CUstream_st stream;
  private final Object lock;
  private boolean loaded;
  private boolean isRecorded;
  private CUgraphExec_st graph; // null where there was no memory for it

  /** @param lock what every other user of the stream holds */
  RecordedKernels(Kernel[] kernels, CUctx_st context, CUstream_st stream, Object lock) {
    this.lock = lock;
    this.kernels = kernels;
    this.context = context;
    this.stream = stream;
  }

  @Override public void launch() {
    synchronized (lock) {
      Driver.makeCurrent(context);
      if (!loaded) {
        launchEach();
        loaded = true;
        return;
      }
      if (!isRecorded) graph = record();
      isRecorded = true;
      if (graph == null) launchEach();
      else Driver.launch(graph, stream);
    }
  }

  private void launchEach() {
    for (Kernel k : kernels) k.launch();
  }

  private CUgraphExec_st record() {
    Driver.beginCapture(stream);
    boolean complete = false;
    try {
      launchEach();
      complete = true;
    } finally {
      if (!complete) Driver.abandonCapture(stream);
    }
    return Driver.endCapture(stream);
  }

  @Override public void close() {
    synchronized (lock) {
      if (graph == null) return;
      Driver.makeCurrent(context);
      Driver.synchronize(stream);
      Driver.destroy(graph);
      graph = null;
      isRecorded = false;
    }
  }
}
