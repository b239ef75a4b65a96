package org.dyr.nn;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.graph.Bucket;
import org.dyr.graph.Graph;
import org.dyr.op.Cast;
import org.dyr.op.Dropout;
import org.dyr.op.Op;
import org.dyr.op.Philox;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * One recording of a model: the graph, the weights bound into it, and the inputs that describe a packed batch of T
 * tokens, S sequences and G groups. Inputs are made when a layer first asks for them.
 *
 * <pre>
 * tokens, types, positions   i32(T)    what the embeddings look up
 * token_sequence             i32(T)    each token's sequence, by its number in the global batch
 * offsets                    i32(S+1)  sequence s has the tokens offsets[s]..offsets[s+1]-1
 * sequence                   i32(S)    each sequence's number in the global batch
 * first                      i32(S)    the row of each sequence's [CLS]
 * origin                     i32(S)    0: the place of [CLS] in its sequence
 * groups                     i32(G+1)  group g has the sequences groups[g]..groups[g+1]-1, the positive first
 * random                     i32(4)    seed (low, high), step, 0
 * </pre>
 */
public final class Pass {
  private final Graph graph;
  private final Weights weights;
  private final Bucket bucket;
  private final boolean training;
  private final DType compute;
  private final Map<Parameter, Value> bound = new LinkedHashMap<>();
  private final Map<Parameter, Value> operands = new LinkedHashMap<>();
  private final Map<String, Value> inputs = new HashMap<>();

  /** A recording for batches of up to the bucket, in the weights' compute type; in training, dropout is recorded. */
  public Pass(Weights weights, Bucket bucket, boolean training) {
    this(weights, bucket, training, weights.compute());
  }

  /**
   * A recording in mixed precision.
   *
   * @param compute the type of the encoder's activations and of the matrices that they meet, rounded from the weights
   *     once a run where those do not hold them so; embeddings are looked up and normalized, and the head computed, in
   *     the weights' own type
   * @throws IllegalArgumentException when the weights cannot compute in that type, or not be trained
   */
  public Pass(Weights weights, Bucket bucket, boolean training, DType compute) {
    if (compute != weights.compute() && !(compute.isHalf() && weights.compute() == DType.F32)) {
      throw new IllegalArgumentException("weights in %s cannot compute in %s".formatted(weights.compute(), compute));
    }
    if (training) weights.requireTrainable();
    this.compute = compute;
    this.graph = new Graph(weights.type());
    this.weights = weights;
    this.bucket = bucket;
    this.training = training;
  }

  public Graph graph() {
    return graph;
  }

  public boolean training() {
    return training;
  }

  Value emit(Op op, Value... in) {
    return graph.emit1(op, in);
  }

  Graph.Scope scope(String name) {
    return graph.scope(name);
  }

  /** The parameter in its own type. */
  Value weight(Parameter p) {
    return bound.computeIfAbsent(p, q -> graph.bound(weights.spec(q), weights.span(q)));
  }

  /** The parameter as an operand beside x: a matrix in the type of x, a vector in that of sums over x. */
  Value weight(Parameter p, Value x) {
    return operands.computeIfAbsent(p, q -> cast(weight(q), beside(x.spec().type(), q)));
  }

  /** The type of a parameter beside an x of this one. */
  static DType beside(DType x, Parameter p) {
    return p.shape().rank() == 1 ? x.accumulator() : x;
  }

  /** x in the type that the encoder computes in. */
  Value toCompute(Value x) {
    return cast(x, compute);
  }

  /** x in the weights' type. */
  Value fromCompute(Value x) {
    return cast(x, weights.type());
  }

  private Value cast(Value x, DType type) {
    return x.spec().type() == type ? x : emit(new Cast(type), x);
  }

  /** Where the gradient of each parameter used so far goes, in a slab laid out as the weights. */
  public Map<Value, Span> gradients(Slab slab) {
    Map<Value, Span> places = new LinkedHashMap<>();
    bound.forEach((p, v) -> places.put(v, weights.spanIn(slab, p)));
    return places;
  }

  /** One i32 a token. */
  Value perToken(String name) {
    return integers(name, bucket.tokens());
  }

  /** One i32 a sequence. */
  Value perSequence(String name) {
    return integers(name, bucket.sequences());
  }

  Value offsets() {
    return integers("offsets", bucket.sequences() + 1);
  }

  /** The bounds of the groups. */
  public Value groups() {
    return integers("groups", bucket.groups() + 1);
  }

  Value random() {
    return integers("random", Philox.STATE_WORDS);
  }

  /** A floating-point input (1). */
  public Value scalar(String name) {
    return inputs.computeIfAbsent(name, n -> graph.input(n, Spec.of(graph.type(), 1)));
  }

  private Value integers(String name, int size) {
    return inputs.computeIfAbsent(name, n -> graph.input(n, Spec.of(DType.I32, size)));
  }

  /** Dropout of rows that are tokens (T,C). */
  Value dropTokens(double probability, Value x) {
    return drop(probability, x, () -> new Value[] {x, random(), perToken("token_sequence"), perToken("positions")});
  }

  /** Dropout of rows that stand for sequences (S,C). */
  Value dropSequences(double probability, Value x) {
    return drop(probability, x, () -> new Value[] {x, random(), perSequence("sequence"), perSequence("origin")});
  }

  private Value drop(double probability, Value x, Supplier<Value[]> in) {
    return training && probability > 0 ? emit(new Dropout(probability, graph.nextSite()), in.get()) : x;
  }
}
