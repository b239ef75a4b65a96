package org.dyr.nn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import java.util.function.Function;
import org.dyr.device.Backend;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Panels;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * The numbers of all parameters in one slab, each at a multiple of 64 bytes; what lies between stays zero. Gradients
 * and optimizer states use slabs of the same layout.
 *
 * <p>Weights for scoring alone hold each parameter as programs read it: the encoder's matrices in the type that it
 * computes in, all others in fp32, and the factors of products in panels where the device has a layout for them. Weights
 * to train, and to write, are of one type, row by row.
 */
public final class Weights implements AutoCloseable {
  private static final int ALIGNMENT = 64;

  private final Backend backend;
  private final DType type;
  private final DType compute;
  private final List<Parameter> parameters;
  private final Map<Parameter, Spec> rows = new LinkedHashMap<>(); // each in its own shape
  private final Map<Parameter, Panels> panels = new LinkedHashMap<>();
  private final Map<Parameter, Long> offsets = new LinkedHashMap<>();
  private final long bytes;
  private final Slab slab;

  /** Allocates zeroed memory for the parameters in this type, F32 or F64. */
  public Weights(Backend backend, DType type, List<Parameter> parameters) {
    this(backend, type, type, parameters, p -> type, false);
  }

  /** The same for scoring alone, with a model that computes in this type. */
  public static Weights forScoring(Backend backend, DType compute, Bert bert) {
    return new Weights(backend, compute.accumulator(), compute, bert.parameters(), p -> bert.readType(p, compute), true);
  }

  private Weights(Backend backend, DType type, DType compute, List<Parameter> parameters,
      Function<Parameter, DType> types, boolean forScoring) {
    this.backend = backend;
    this.type = type;
    this.compute = compute;
    this.parameters = List.copyOf(parameters);
    long at = 0;
    Map<String, Parameter> names = new LinkedHashMap<>();
    for (Parameter p : parameters) {
      if (names.put(p.name(), p) != null) throw new IllegalArgumentException("two parameters are called " + p.name());
      rows.put(p, new Spec(p.shape(), types.apply(p)));
      if (forScoring && p.factor()) backend.panels(rows.get(p)).ifPresent(layout -> panels.put(p, layout));
      offsets.put(p, at);
      at += Math.ceilDiv(spec(p).bytes(), ALIGNMENT) * ALIGNMENT;
    }
    bytes = at;
    slab = backend.allocate(bytes, "weights");
  }

  public List<Parameter> parameters() {
    return parameters;
  }

  /** F32 or F64: the type of all parameters, or, for scoring alone, of those that are not rounded. */
  public DType type() {
    return type;
  }

  /** The type that the encoder's matrices are in: {@link #type}, or, for scoring alone, that it computes in. */
  public DType compute() {
    return compute;
  }

  /**
   * For who trains or writes weights.
   *
   * @throws IllegalArgumentException when these, made for scoring alone, are rounded or in panels
   */
  public void requireTrainable() {
    if (compute != type || !panels.isEmpty()) {
      throw new IllegalArgumentException("weights loaded for scoring alone are not trained or written");
    }
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

  /** The parameter as it lies in memory: in its own shape, or in panels. */
  public Spec spec(Parameter p) {
    Panels layout = panels.get(p);
    return layout == null ? rows.get(p) : layout.outputs(rows.get(p))[0];
  }

  public Span span(Parameter p) {
    return spanIn(slab, p);
  }

  /** The parameter's place in another slab of this layout. */
  public Span spanIn(Slab other, Parameter p) {
    if (other != slab) requireTrainable();
    return other.span(offsets.get(p), spec(p).bytes());
  }

  /** Every parameter's place, in elements, for the optimizers. */
  public List<Update.Segment> segments() {
    requireTrainable();
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
    // Mixed by a draw: the states of this generator lie a constant apart, and a multiple of it would shift the stream.
    long mixed = new SplittableRandom(seed).nextLong();
    SplittableRandom random = new SplittableRandom(mixed + p.name().hashCode());
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
      MemorySegment host = arena.allocate(rows.get(p).bytes(), ALIGNMENT);
      for (long i = 0; i < p.shape().size(); i++) rows.get(p).type().set(host, i, next.getAsDouble());
      upload(p, host);
    }
  }

  /** Writes a parameter from host memory: its numbers in its type, row by row. */
  public void upload(Parameter p, MemorySegment from) {
    Panels layout = panels.get(p);
    if (layout == null) {
      backend.upload(from, spec(p).bytes(), span(p));
      return;
    }
    Spec[] in = {rows.get(p)};
    KernelSet set = backend.choose(layout, in).orElseThrow();
    long scratch = set.scratchBytes(layout, in);
    try (Slab staging = backend.allocate(in[0].bytes() + scratch, p.name())) {
      Span[] staged = {staging.span(0, in[0].bytes())}, laidOut = {span(p)};
      backend.upload(from, in[0].bytes(), staged[0]);
      Kernel kernel = set.prepare(layout, new Operands(in, layout.outputs(in), staged, laidOut,
          staging.span(in[0].bytes(), scratch)));
      backend.sequence(new Kernel[] {kernel}).launch();
      backend.synchronize();
    }
  }

  /** A parameter as it lies in memory, for the host to read, or its place in another slab of this layout. */
  public MemorySegment view(Slab in, Parameter p, Arena arena) {
    return backend.view(spanIn(in, p), arena);
  }

  @Override public void close() {
    slab.close();
  }
}
