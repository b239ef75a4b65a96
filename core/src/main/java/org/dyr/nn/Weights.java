package org.dyr.nn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * The numbers of all parameters in one slab, each at a multiple of 64 bytes; what lies between stays zero. Gradients
 * and optimizer states use slabs of the same layout.
 */
public final class Weights implements AutoCloseable {
  private static final int ALIGNMENT = 64;

  private final Backend backend;
  private final DType type;
  private final List<Parameter> parameters;
  private final Map<Parameter, Long> offsets = new LinkedHashMap<>();
  private final long bytes;
  private final Slab slab;

  /** Allocates zeroed memory for the parameters in this type, F32 or F64. */
  public Weights(Backend backend, DType type, List<Parameter> parameters) {
    this.backend = backend;
    this.type = type;
    this.parameters = List.copyOf(parameters);
    long at = 0;
    Map<String, Parameter> names = new LinkedHashMap<>();
    for (Parameter p : parameters) {
      if (names.put(p.name(), p) != null) throw new IllegalArgumentException("two parameters are called " + p.name());
      offsets.put(p, at);
      at += Math.ceilDiv(p.shape().size() * type.bytes(), ALIGNMENT) * ALIGNMENT;
    }
    bytes = at;
    slab = backend.allocate(bytes, "weights");
  }

  public List<Parameter> parameters() {
    return parameters;
  }

  public DType type() {
    return type;
  }

  /** Bytes of the slab: what gradients and each optimizer state need too. */
  public long bytes() {
    return bytes;
  }

  /** The number of elements of all parameters. */
  public long count() {
    return parameters.stream().mapToLong(p -> p.shape().size()).sum();
  }

  public Slab slab() {
    return slab;
  }

  public Spec spec(Parameter p) {
    return new Spec(p.shape(), type);
  }

  public Span span(Parameter p) {
    return spanIn(slab, p);
  }

  /** The parameter's place in another slab of this layout. */
  public Span spanIn(Slab other, Parameter p) {
    return other.span(offsets.get(p), spec(p).bytes());
  }

  /** Every parameter's place, in elements, for the optimizers. */
  public List<Update.Segment> segments() {
    List<Update.Segment> segments = new ArrayList<>();
    offsets.forEach((p, at) -> segments.add(
        new Update.Segment(p.name(), at / type.bytes(), Math.toIntExact(p.shape().size()), p.decay())));
    return segments;
  }

  /**
   * Fills every parameter as its {@link Parameter.Init} says. Each draws from a stream of its own, seeded by its name:
   * the numbers do not depend on what else the model has.
   *
   * @param range the standard deviation of {@link Parameter.Init#TRUNCATED_NORMAL}
   */
  public void initialize(long seed, double range) {
    for (Parameter p : parameters) initialize(p, seed, range);
  }

  /** The same for one parameter. */
  public void initialize(Parameter p, long seed, double range) {
    SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + p.name().hashCode());
    fill(p, () -> switch (p.init()) {
      case ZEROS -> 0;
      case ONES -> 1;
      case TRUNCATED_NORMAL -> range * truncatedNormal(random);
    });
  }

  private static double truncatedNormal(SplittableRandom random) {
    while (true) {
      double x = random.nextGaussian();
      if (Math.abs(x) <= 2) return x;
    }
  }

  private void fill(Parameter p, DoubleSupplier next) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(spec(p).bytes(), ALIGNMENT);
      for (long i = 0; i < p.shape().size(); i++) {
        if (type == DType.F64) host.setAtIndex(ValueLayout.JAVA_DOUBLE, i, next.getAsDouble());
        else host.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) next.getAsDouble());
      }
      backend.upload(host, host.byteSize(), span(p));
    }
  }

  /** Writes a parameter from host memory in this type. */
  public void upload(Parameter p, MemorySegment from) {
    backend.upload(from, spec(p).bytes(), span(p));
  }

  /** A parameter's numbers for the host to read, or those in its place in another slab of this layout. */
  public MemorySegment view(Slab in, Parameter p, Arena arena) {
    return backend.view(spanIn(in, p), arena);
  }

  @Override public void close() {
    slab.close();
  }
}
