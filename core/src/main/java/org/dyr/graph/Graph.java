package org.dyr.graph;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.device.Span;
import org.dyr.op.Op;
import org.dyr.op.Recorder;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.ShapeException;
import org.dyr.tensor.Spec;

/**
 * The recorder: ops in the order in which they will run. A value is one of three kinds: an input, written by the host
 * before each run; bound to memory that outlives the program (parameters, gradients, optimizer states); or made by a
 * node, and then it lives in the workspace unless it is placed in outside memory too.
 */
public final class Graph implements Recorder {

  /** Ends a module's part of the path. */
  public interface Scope extends AutoCloseable {
    @Override void close();
  }

  private final DType type;
  private final Map<String, Value> inputs = new LinkedHashMap<>();
  private final Map<String, Value> outputs = new LinkedHashMap<>();
  private final Map<Value, Span> bound = new LinkedHashMap<>();
  private final Map<Value, Span> placed = new LinkedHashMap<>();
  private List<Node> nodes = new ArrayList<>();
  private String path = "";
  private int values;
  private int sites;

  /** A graph whose floating-point work is done in this type. */
  public Graph(DType type) {
    this.type = type;
  }

  /** The type that layers compute in; they do not ask further. */
  public DType type() {
    return type;
  }

  /** A value that the host writes before each run. */
  public Value input(String name, Spec spec) {
    Value v = value(spec);
    if (inputs.put(name, v) != null) throw new IllegalArgumentException("graph: two inputs are called " + name);
    return v;
  }

  /** A value in memory that outlives the program. */
  public Value bound(Spec spec, Span span) {
    if (span.bytes() != spec.bytes()) {
      throw new ShapeException("graph: %s needs %d bytes, its span has %d", spec, spec.bytes(), span.bytes());
    }
    Value v = value(spec);
    bound.put(v, span);
    return v;
  }

  /**
   * Has the value's producer write into outside memory. What stands there is lost when the program begins: until the
   * value is made, its memory may hold others.
   */
  public void place(Value v, Span span) {
    if (producer(v) == null || placed.containsKey(v)) throw new IllegalArgumentException("graph: cannot place " + v);
    placed.put(v, span);
  }

  /** Names a value that is read after the run; it keeps its memory to the end. */
  public void output(String name, Value v) {
    if (outputs.put(name, v) != null) throw new IllegalArgumentException("graph: two outputs are called " + name);
  }

  /** Appends a name to the path of the nodes recorded until the scope is closed. */
  public Scope scope(String name) {
    String before = path;
    path = path.isEmpty() ? name : path + "." + name;
    return () -> path = before;
  }

  /** A number that tells one dropout of the model from the others: the order of recording. */
  public int nextSite() {
    return sites++;
  }

  @Override public Value[] emit(Op op, Value... in) {
    Node node = node(op, path, in);
    nodes.add(node);
    return node.out().toArray(new Value[0]);
  }

  /** A node with fresh outputs, checked by the op's shape rule, not yet part of the graph. */
  Node node(Op op, String at, Value... in) {
    Spec[] specs = new Spec[in.length];
    for (int i = 0; i < in.length; i++) specs[i] = in[i].spec();
    List<Value> out = new ArrayList<>();
    try {
      for (Spec s : op.outputs(specs)) out.add(value(s));
    } catch (ShapeException e) {
      throw new ShapeException("%s   at %s", e.getMessage(), at.isEmpty() ? "the top" : at);
    }
    return new Node(op, List.of(in), List.copyOf(out), at);
  }

  private Value value(Spec spec) {
    return new Value(values++, spec);
  }

  public List<Node> nodes() {
    return nodes;
  }

  public Map<String, Value> inputs() {
    return inputs;
  }

  public Map<String, Value> outputs() {
    return outputs;
  }

  public Map<Value, Span> bound() {
    return bound;
  }

  public Map<Value, Span> placed() {
    return placed;
  }

  void replaceNodes(List<Node> with) {
    nodes = new ArrayList<>(with);
  }

  /** The node that makes the value; null for inputs and bound values. */
  Node producer(Value v) {
    for (int i = nodes.size() - 1; i >= 0; i--) if (nodes.get(i).out().contains(v)) return nodes.get(i);
    return null;
  }
}
