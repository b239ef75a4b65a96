package org.dyr.device;

import org.dyr.tensor.Spec;

/**
 * What a kernel is prepared with: the specs and the memory of its inputs and outputs, and its scratch. An output that
 * the op writes in place has the span of the input it replaces.
 */
public record Operands(Spec[] in, Spec[] out, Span[] inputs, Span[] outputs, Span scratch) {}
