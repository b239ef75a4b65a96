package org.dyr.ranker.train;

import java.util.Locale;
import java.util.Optional;
import org.dyr.optim.LossScale;
import org.dyr.tensor.DType;

/** The types that an encoder can compute in, its weights in fp32. */
public enum ComputeType {
  FLOAT32(DType.F32),
  BFLOAT16(DType.BF16),
  /** Its exponents are few: the loss is scaled, and a step that overflows is skipped. */
  FLOAT16(DType.F16);

  private final DType type;

  ComputeType(DType type) {
    this.type = type;
  }

  /** The type of that name, as {@link #text} has it. */
  public static ComputeType of(String text) {
    return valueOf(text.toUpperCase(Locale.ROOT));
  }

  public DType type() {
    return type;
  }

  /** {@code float16}. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** How the loss scale of a run begins; empty where the loss is not scaled. */
  public Optional<LossScale> lossScale() {
    return this == FLOAT16 ? Optional.of(LossScale.START) : Optional.empty();
  }
}
