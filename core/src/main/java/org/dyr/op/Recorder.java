package org.dyr.op;

/** Takes ops and gives the values they make. */
public interface Recorder {

  /** Records an op; its shape rule checks the inputs. */
  Value[] emit(Op op, Value... in);

  /** Records an op of one output. */
  default Value emit1(Op op, Value... in) {
    return emit(op, in)[0];
  }
}
