package org.dyr.peers;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** An ONNX graph in the making: nodes and constants, by name; a node gives its one output's name. */
final class OnnxGraph {
  /** ONNX Runtime's own operators. */
  static final String MICROSOFT = "com.microsoft";

  private static final int IR_VERSION = 8;
  private static final int OPSET = 17;
  private static final int GRAPH_OF_MODEL = 7;
  private static final int INITIALIZER_OF_GRAPH = 5;
  private static final int INPUT_OF_GRAPH = 11;
  private static final int OUTPUT_OF_GRAPH = 12;

  private final OnnxMessage graph = new OnnxMessage();
  private final List<OnnxConstant> constants = new ArrayList<>();
  private int nodes;

  OnnxGraph(String name) {
    graph.text(2, name);
  }

  String constant(OnnxConstant tensor) {
    constants.add(tensor);
    return tensor.name();
  }

  static OnnxMessage attribute(String name, long value) {
    return new OnnxMessage().text(1, name).number(3, value).number(20, 2);
  }

  static OnnxMessage attribute(String name, float value) {
    return new OnnxMessage().text(1, name).real(2, value).number(20, 1);
  }

  static OnnxMessage attribute(String name, long[] values) {
    OnnxMessage m = new OnnxMessage().text(1, name);
    for (long v : values) m.number(8, v);
    return m.number(20, 7);
  }

  /** A node of ONNX's own operators. */
  String node(String op, List<String> inputs, OnnxMessage... attributes) {
    return node("", op, inputs, attributes);
  }

  String node(String domain, String op, List<String> inputs, OnnxMessage... attributes) {
    String output = "t" + nodes++;
    add(domain, op, inputs, output, attributes);
    return output;
  }

  private void add(String domain, String op, List<String> inputs, String output, OnnxMessage... attributes) {
    OnnxMessage m = new OnnxMessage();
    for (String input : inputs) m.text(1, input);
    m.text(2, output).text(3, op + " " + output).text(4, op);
    for (OnnxMessage a : attributes) m.message(5, a);
    if (!domain.isEmpty()) m.text(7, domain);
    graph.message(1, m);
  }

  /** Declares an input; dimensions are numbers or names. */
  void input(String name, int type, Object... shape) {
    graph.message(INPUT_OF_GRAPH, described(name, type, shape));
  }

  /** Declares a value to be the graph's output of that name. */
  void output(String name, String value, int type, Object... shape) {
    add("", "Identity", List.of(value), name);
    graph.message(OUTPUT_OF_GRAPH, described(name, type, shape));
  }

  private static OnnxMessage described(String name, int type, Object... shape) {
    OnnxMessage dimensions = new OnnxMessage();
    for (Object d : shape) {
      dimensions.message(1, d instanceof String s ? new OnnxMessage().text(2, s)
          : new OnnxMessage().number(1, ((Number) d).longValue()));
    }
    OnnxMessage tensor = new OnnxMessage().number(1, type).message(2, dimensions);
    return new OnnxMessage().text(1, name).message(2, new OnnxMessage().message(1, tensor));
  }

  /** Writes a model of this graph; fields of a message may come in any order, so the constants come last. */
  void write(Path file) throws IOException {
    long length = graph.length();
    for (OnnxConstant t : constants) length += t.length() + head(t).length();
    OnnxMessage model = new OnnxMessage().number(1, IR_VERSION).text(2, "dyr")
        .message(8, new OnnxMessage().text(1, "").number(2, OPSET))
        .message(8, new OnnxMessage().text(1, MICROSOFT).number(2, 1)).beginBytes(GRAPH_OF_MODEL, length);
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
      out.write(model.toBytes());
      out.write(graph.toBytes());
      for (OnnxConstant t : constants) {
        out.write(head(t).toBytes());
        t.writeTo(out);
      }
    }
  }

  private static OnnxMessage head(OnnxConstant t) {
    return new OnnxMessage().beginBytes(INITIALIZER_OF_GRAPH, t.length());
  }
}
