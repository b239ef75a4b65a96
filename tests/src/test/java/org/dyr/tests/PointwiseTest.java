package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.Slab;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Node;
import org.dyr.graph.Program;
import org.dyr.op.Activation;
import org.dyr.op.Activation.Kind;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.BiasActivation;
import org.dyr.op.Cast;
import org.dyr.op.Dropout;
import org.dyr.op.Op;
import org.dyr.op.Scale;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Chains of ops of one element each on the device cuda, where one generated kernel computes them, against the same ops
 * one by one as plain loops in double; where the row "pointwise" applies and where it must not; the cache of what was
 * compiled.
 */
class PointwiseTest {
  private static final int[][] SHAPES = {{7, 33}, {5, 768}, {1, 1}, {700, 192}, {9, 72}, {70, 64}};

  private static Backend backend;
  private static String why;

  static {
    try {
      backend = Devices.open("cuda", DeviceOptions.defaults());
      String report = String.join("\n", Devices.providers().stream().filter(p -> p.name().equals("cuda")).findFirst()
          .orElseThrow().report());
      if (report.contains("generated: not taken")) why = report;
    } catch (IllegalArgumentException e) {
      why = e.getMessage();
    }
  }

  @AfterAll static void close() {
    if (backend != null) backend.close();
  }

  private static void assumeDevice() {
    assumeTrue(why == null, () -> why);
  }

  /** Every op that may be in a chain, dealt out in an order drawn by the type, two to six at a time. */
  @TestFactory Stream<DynamicTest> chainsGiveWhatTheirOpsGive() {
    assumeDevice();
    return Stream.of(DType.F32, DType.BF16, DType.F16).flatMap(type -> {
      Random random = new Random(OpCase.SEED + type.ordinal());
      List<Op> deck = new ArrayList<>(deck());
      Collections.shuffle(deck, random);
      List<DynamicTest> tests = new ArrayList<>();
      for (int at = 0; deck.size() - at >= 2; ) {
        List<Op> ops = List.copyOf(deck.subList(at, Math.min(deck.size(), at + 2 + random.nextInt(5))));
        at += ops.size();
        int[] shape = SHAPES[tests.size() % SHAPES.length];
        tests.add(dynamicTest("%s (%d,%d) %s".formatted(type, shape[0], shape[1], ops), () -> check(type, shape, ops)));
      }
      return tests.stream();
    });
  }

  private static List<Op> deck() {
    List<Op> deck = new ArrayList<>();
    for (Kind kind : Kind.values()) deck.addAll(List.of(new Activation(kind), new Activation.Grad(kind)));
    deck.addAll(List.of(new AddBias(), new BiasActivation(Kind.GELU), new BiasActivation.Grad(Kind.RELU),
        new Dropout(0.5, 3), new Dropout(0.1, 60_000), new Dropout(0, 1), new Scale(), new Add(false), new Add(false),
        new Cast(DType.F32), new Cast(DType.BF16), new Cast(DType.F16)));
    return deck;
  }

  /** Gives the chain's further operands, in order. */
  private interface Source {
    Value next(DType type, int... dims);
  }

  private static void check(DType type, int[] shape, List<Op> ops) {
    Random random = new Random(OpCase.SEED), same = new Random(OpCase.SEED);
    double[] expected, actual;
    try (Backend plain = Oracle.reference(); Memory memory = new Memory(plain, 64 << 20)) {
      Graph graph = new Graph(DType.F64);
      expected = run(plain, graph, record(graph, type, shape, ops, true, (t, dims) -> {
        Spec spec = Spec.of(t == DType.I32 ? t : DType.F64, dims);
        return graph.bound(spec, memory.put(spec, draw(random, t, dims)));
      }), Set.of());
    }
    try (Memory memory = new Memory(backend, 32 << 20)) {
      Graph graph = new Graph(type);
      Value y = record(graph, type, shape, ops, false, (t, dims) -> {
        Spec spec = Spec.of(t, dims);
        return graph.bound(spec, memory.put(spec, draw(same, t, dims)));
      });
      actual = run(backend, graph, y, Set.of());
      memory.checkGuards(ops.toString());
      assertEquals(List.of("Pointwise"), names(graph).stream().map(n -> n.replaceAll("\\[.*", "")).toList());
      double tolerance = tolerance(ops, y.spec().type());
      for (int i = 0; i < expected.length; i++) {
        double error = tolerance * Math.max(1, Math.abs(expected[i]));
        assertEquals(expected[i], actual[i], error, "element " + i + " of " + ops);
      }
    }
  }

  /** fp32 along the way, half a unit for the store, and one for every cast, whose rounding may go either way. */
  private static double tolerance(List<Op> ops, DType out) {
    double t = 1e-5 * ops.size() + unit(out);
    for (Op op : ops) if (op instanceof Cast c) t += 4 * unit(c.to());
    return t;
  }

  private static double unit(DType type) {
    return switch (type) {
      case BF16 -> 0x1p-8;
      case F16 -> 0x1p-11;
      default -> 0;
    };
  }

  private static double[] draw(Random random, DType type, int... dims) {
    double[] x = new double[Math.toIntExact(Spec.of(type, dims).shape().size())];
    for (int i = 0; i < x.length; i++) {
      x[i] = type == DType.I32 ? random.nextInt(1 << 20) : HalfParityTest.rounded(type, random.nextGaussian());
    }
    return x;
  }

  /** Records the chain; in double a cast rounds and comes back, and what is beside sums is no other type. */
  private static Value record(Graph g, DType type, int[] shape, List<Op> ops, boolean inDouble, Source operands) {
    int rows = shape[0], columns = shape[1];
    DType now = type;
    Value v = operands.next(now, rows, columns);
    for (Op op : ops) {
      v = switch (op) {
        case AddBias _, BiasActivation _ -> g.emit1(op, v, operands.next(DType.F32, columns));
        case Activation.Grad _ -> g.emit1(op, v, operands.next(now, rows, columns));
        case BiasActivation.Grad _ ->
            g.emit1(op, v, operands.next(now, rows, columns), operands.next(DType.F32, columns));
        case Dropout _ -> g.emit1(op, v, operands.next(DType.I32, 4), operands.next(DType.I32, rows),
            operands.next(DType.I32, rows));
        case Scale _ -> g.emit1(op, v, operands.next(now, 1));
        case Add _ -> g.emit1(op, v, g.emit1(new Activation(Kind.TANH), operands.next(now, rows, columns))); // a tree
        default -> g.emit1(op, v);
      };
      if (!(op instanceof Cast c)) continue;
      now = c.to();
      if (inDouble) v = g.emit1(new Cast(DType.F64), v);
    }
    return v;
  }

  private static double[] run(Backend backend, Graph graph, Value y, Set<String> off) {
    graph.output("y", y);
    return run(backend, graph, off).get("y");
  }

  private static Map<String, double[]> run(Backend backend, Graph graph, Set<String> off) {
    Compiler.Compiled compiled = new Compiler(backend, off).compile(graph);
    try (Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace");
        Program program = compiled.program(backend, workspace); Backend plain = Oracle.reference()) {
      program.run();
      program.run();
      Map<String, double[]> values = new TreeMap<>();
      graph.outputs().forEach((name, v) -> {
        try (Slab host = plain.allocate(v.spec().bytes(), "output")) {
          program.read(name, host.host());
          values.put(name, Memory.read(host.span(0, host.bytes()), v.spec()));
        }
      });
      return values;
    }
  }

  private static List<String> names(Graph graph) {
    return graph.nodes().stream().map(Node::op).map(Op::name).toList();
  }

  /** Where the square of x is infinite in fp32 the slope is what it was before. */
  @Test void theSlopeOfGeluByTanhIsFlatFarOut() {
    assumeDevice();
    try (Memory memory = new Memory(backend, 1 << 16)) {
      Graph g = new Graph(DType.F32);
      Spec x = Spec.of(DType.F32, 1, 5), one = Spec.of(DType.F32, 1);
      Value far = g.bound(x, memory.put(x, new double[] {-1e20, -1e4, 1e4, 1e20, Double.NaN}));
      Value dy = g.bound(x, memory.put(x, new double[] {1, 1, 1, 1, 1}));
      Value slope = g.emit1(new Activation.Grad(Kind.GELU_TANH), dy, far);
      Value y = g.emit1(new Scale(), slope, g.bound(one, memory.put(one, new double[] {2})));
      assertArrayEquals(new double[] {0, 0, 2, 2, Double.NaN}, run(backend, g, y, Set.of()), 0);
      assertEquals(List.of("Pointwise[GeluTanhGrad Scale]"), names(g));
    }
  }

  // Where the row applies. Only ops of which the device has kernels in any case, so that all runs without the row too.

  private static final Spec X = Spec.of(DType.F32, 6, 20);

  private static Value drawn(Graph graph, Memory memory, Spec spec, int seed) {
    return graph.bound(spec, memory.put(spec, draw(new Random(seed), spec.type(), spec.shape().dims())));
  }

  /** ((s x + b) + r) s. */
  private static List<Value> chain(Graph g, Memory memory) {
    Value x = drawn(g, memory, X, 1), s = drawn(g, memory, Spec.of(DType.F32, 1), 2);
    Value scaled = g.emit1(new Scale(), x, s);
    Value biased = g.emit1(new AddBias(), scaled, drawn(g, memory, Spec.of(DType.F32, 20), 3));
    Value sum = g.emit1(new Add(false), biased, drawn(g, memory, X, 4));
    Value y = g.emit1(new Scale(), sum, s);
    g.output("y", y);
    return List.of(scaled, biased, sum, y);
  }

  @Test void itIsSwitchedOffByItsName() {
    assumeDevice();
    try (Memory memory = new Memory(backend, 1 << 16)) {
      Graph on = new Graph(DType.F32), off = new Graph(DType.F32);
      chain(on, memory);
      chain(off, memory);
      double[] fused = run(backend, on, Set.of()).get("y"), unfused = run(backend, off, Set.of("pointwise")).get("y");
      assertEquals(List.of("Pointwise[Scale AddBias Add Scale]"), names(on));
      assertEquals(List.of("Scale", "AddBias", "Add", "Scale"), names(off));
      assertArrayEquals(unfused, fused, 1e-5);
    }
  }

  @Test void whatSomebodyElseReadsIsMade() {
    assumeDevice();
    try (Memory memory = new Memory(backend, 1 << 16)) {
      Graph read = new Graph(DType.F32), off = new Graph(DType.F32);
      for (Graph g : List.of(read, off)) {
        List<Value> made = chain(g, memory);
        g.output("biased", made.get(1));                                                  // named: read after the run
        g.output("twice", g.emit1(new Add(false), made.get(2), drawn(g, memory, X, 5)));  // read by another op
      }
      Map<String, double[]> fused = run(backend, read, Set.of()), unfused = run(backend, off, Set.of("pointwise"));
      assertEquals(List.of("Pointwise[Scale AddBias]", "Add", "Scale", "Add"), names(read));
      unfused.forEach((name, values) -> assertArrayEquals(values, fused.get(name), 1e-5, name));
    }
  }

  @Test void anOperandThatIsWrittenOverMeanwhileIsReadBefore() {
    assumeDevice();
    try (Memory memory = new Memory(backend, 1 << 16)) {
      Graph g = new Graph(DType.F32);
      Value s = drawn(g, memory, Spec.of(DType.F32, 1), 2), r = drawn(g, memory, X, 3);
      Value x = g.emit1(new Scale(), r, s);
      Value scaled = g.emit1(new Scale(), x, s);
      g.output("x", g.emit1(new Add(true), x, r));
      g.output("y", g.emit1(new Add(false), scaled, r));
      Map<String, double[]> values = run(backend, g, Set.of());
      assertEquals(List.of("Scale", "Scale", "Add", "Add"), names(g));
      double by = draw(new Random(2), DType.F32, 1)[0], first = draw(new Random(3), DType.F32, 6, 20)[0];
      assertEquals(by * by * first + first, values.get("y")[0], 1e-5);
      assertEquals(by * first + first, values.get("x")[0], 1e-5);
    }
  }

  @Test void anOpAloneStaysAsItIs() {
    assumeDevice();
    try (Memory memory = new Memory(backend, 1 << 16)) {
      Graph g = new Graph(DType.F32);
      Value x = drawn(g, memory, X, 1);
      g.output("y", g.emit1(new Add(false), x, x));
      run(backend, g, Set.of());
      assertEquals(List.of("Add"), names(g));
    }
  }

  /** What a JVM of its own runs: prints what the device reports of generated kernels, and the ops of a chain. */
  static final class Guest {
    private Guest() {}

    public static void main(String[] args) {
      Devices.providers().stream().filter(p -> p.name().equals("cuda")).flatMap(p -> p.report().stream())
          .filter(line -> line.startsWith("generated")).forEach(System.out::println);
      try (Backend device = Devices.open("cuda", DeviceOptions.defaults()); Memory memory = new Memory(device, 1 << 16)) {
        Graph graph = new Graph(DType.F32);
        chain(graph, memory);
        run(device, graph, Set.of());
        System.out.println(names(graph));
      }
    }
  }

  @Test void withoutNvrtcNothingIsFusedAndTheReportSaysWhy(@TempDir Path folder) throws Exception {
    assumeDevice();
    String emulator = System.getProperty("dyr.cuda.emulator", "");
    assumeTrue(!emulator.isEmpty(), "a card's libraries stay where they are");
    try (Stream<Path> files = Files.list(Path.of(emulator))) {
      for (Path file : files.filter(f -> !f.getFileName().toString().equals("libnvrtc.so.13")).toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xmx256m",
        "-Ddyr.cuda.emulator=" + folder, "-cp", System.getProperty("java.class.path"), Guest.class.getName())
        .redirectError(ProcessBuilder.Redirect.DISCARD).start();
    List<String> said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    assertEquals(0, process.waitFor(), said.toString());
    assumeTrue(!said.getFirst().startsWith("generated: taken"), "this machine has an NVRTC of its own");
    assertTrue(said.getFirst().startsWith("generated: not taken: NVRTC: "), said.toString());
    assertEquals("[Scale, AddBias, Add, Scale]", said.getLast());
  }

  // The cache.

  private static double[] runOnANewDevice() {
    try (Backend fresh = Devices.open("cuda", DeviceOptions.defaults()); Memory memory = new Memory(fresh, 1 << 16)) {
      Graph graph = new Graph(DType.F32);
      chain(graph, memory);
      return run(fresh, graph, Set.of()).get("y");
    }
  }

  @Test void theTextHasTheDigitsOfCudaWhateverTheLocale() {
    assumeDevice();
    double[] expected = runOnANewDevice();
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("fa-u-nu-arabext"));
    try {
      assertArrayEquals(expected, runOnANewDevice());
    } finally {
      Locale.setDefault(before);
    }
  }

  private static Path onlyCubin(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> found = files.filter(f -> f.toString().endsWith(".cubin")).toList();
      assertEquals(1, found.size(), found.toString());
      return found.getFirst();
    }
  }

  private static Object identity(Path file) throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
  }

  @Test void aCompiledKernelIsReadBackAndADamagedOneCompiledAgain(@TempDir Path cache) throws IOException {
    assumeDevice();
    String before = System.getProperty("dyr.cache");
    System.setProperty("dyr.cache", cache.toString());
    try {
      double[] first = runOnANewDevice();
      Path file = onlyCubin(cache);
      byte[] whole = Files.readAllBytes(file);
      Object written = identity(file);
      assertArrayEquals(first, runOnANewDevice());
      assertEquals(written, identity(onlyCubin(cache)), "written again, so not read");
      byte[] damaged = whole.clone();
      damaged[damaged.length / 2] ^= 1;
      for (byte[] content : List.of(damaged, new byte[0], new byte[7])) {
        Files.write(file, content);
        written = identity(file);
        assertArrayEquals(first, runOnANewDevice());
        assertNotEquals(written, identity(onlyCubin(cache)), "a damaged file stays");
        assertEquals(whole.length, Files.size(file));
      }
    } finally {
      if (before == null) System.clearProperty("dyr.cache");
      else System.setProperty("dyr.cache", before);
    }
  }

  @Test void aFolderThatCannotBeWrittenIsDoneWithout(@TempDir Path folder) throws IOException {
    assumeDevice();
    Path file = Files.writeString(folder.resolve("a file"), "no folder");
    String before = System.getProperty("dyr.cache");
    System.setProperty("dyr.cache", file.toString());
    try {
      assertTrue(Double.isFinite(runOnANewDevice()[0]));
    } finally {
      if (before == null) System.clearProperty("dyr.cache");
      else System.setProperty("dyr.cache", before);
    }
  }
}
