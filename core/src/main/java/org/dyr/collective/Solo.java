package org.dyr.collective;

import org.dyr.device.Span;
import org.dyr.tensor.DType;

/** A rank that is alone: what it gives is what it gets. */
public final class Solo implements Collective {

  @Override public int rank() {
    return 0;
  }

  @Override public int size() {
    return 1;
  }

  @Override public void allGather(Span from, Span to) {
    Spans.check(from.bytes() == to.bytes(), "allGather: %d bytes of one rank do not fill %d", from.bytes(), to.bytes());
    Spans.copy(from, to);
  }

  @Override public void own(Span all, Span mine) {
    allGather(all, mine);
  }

  @Override public void allReduce(Span from, Span to, DType type) {
    Spans.checkSum(from, to, type);
    Spans.copy(from, to);
  }

  @Override public double sum(double value) {
    return value;
  }

  @Override public Collective split(int color) {
    return this;
  }
}
