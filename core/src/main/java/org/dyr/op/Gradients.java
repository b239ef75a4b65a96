package org.dyr.op;

/**
 * What an op's {@link Op#backward} sees: its own inputs and outputs, the gradients that have arrived at its outputs,
 * and the recorder that takes the ops of its gradient. Several gradients given to one value are added.
 */
public interface Gradients extends Recorder {

  Value in(int i);

  Value out(int i);

  /** The gradient of output {@code i}; null when nothing that is wanted depends on it. */
  Value gradOf(int i);

  /** Whether the gradient of input {@code i} leads to a parameter; what is not wanted need not be given. */
  boolean wants(int i);

  void give(int i, Value gradient);
}
