package org.dyr.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.DeviceException;
import org.dyr.device.DeviceOptions.Launching;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Gemm;
import org.dyr.op.MatMul;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is around the products of the device cuda, emulated or a card: which algorithm is taken, what is kept of it. */
class ProductsTest {
  private static final int MOST = 4;
  private static final int LAUNCHES = 200;
  private static final Product PRODUCT = new Product(5, 6, 7, false, true, DType.F32, DType.F32, true, false);

  private static CUctx_st context;
  private static CUstream_st stream;
  private static cublasLtContext handle;

  @TempDir Path folder;

  @BeforeAll static void open() {
    Optional<String> why = CudaLibrary.unavailable();
    assumeTrue(why.isEmpty(), () -> why.get());
    context = Driver.context();
    stream = Driver.createStream();
    handle = Blas.create();
  }

  @AfterAll static void close() {
    if (context == null) return;
    Blas.destroy(handle);
    Driver.destroy(stream);
  }

  private AlgorithmFile file() {
    return new AlgorithmFile(folder.resolve("products"), "a card, driver 1, cuBLASLt 2");
  }

  private Blas.Algorithm choice() {
    return choice(PRODUCT);
  }

  private Blas.Algorithm choice(Product product) {
    return new Algorithms(handle, stream, this, MOST, file()).choose(product).orElseThrow();
  }

  private static List<Blas.Algorithm> proposals() {
    try (Descriptors d = Descriptors.of(PRODUCT)) {
      return Blas.algorithms(handle, d, MOST);
    }
  }

  private Path written() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("products"))) {
      return files.filter(f -> f.toString().endsWith(".txt")).reduce((a, b) -> {
        throw new AssertionError("two files");
      }).orElseThrow();
    }
  }

  private static void assertSame(Blas.Algorithm expected, Optional<long[]> words) {
    assertArrayEquals(Blas.words(expected), words.orElseThrow());
  }

  @Test void theFastestIsKept() throws IOException {
    assumeTrue(proposals().size() > 1, "there is a choice");
    assertSame(choice(), file().find(PRODUCT));
    assertTrue(Files.readString(written()).contains("\nf32(5,7) f32(6,7)^T + bias -> f32(5,6) = "));
  }

  @Test void whatIsKeptIsTaken() {
    for (Blas.Algorithm kept : proposals()) {
      overwrite(Blas.words(kept));
      assertArrayEquals(Blas.words(kept), Blas.words(choice()));
    }
  }

  /** As if what the file has were of no use. */
  private void overwrite(long[] words) {
    assertArrayEquals(words, file().put(PRODUCT, words, _ -> false));
  }

  /** Whichever it is: two processes may measure at the same time and find different ones the fastest. */
  @Test void whatAnotherProcessHasKeptMeanwhileIsTaken() {
    assumeTrue(proposals().size() > 1, "there is a choice");
    for (Blas.Algorithm kept : proposals()) {
      Path other = folder.resolve("products-" + Arrays.hashCode(Blas.words(kept)));
      AlgorithmFile late = new AlgorithmFile(other, "a card");
      new AlgorithmFile(other, "a card").put(PRODUCT, Blas.words(kept), _ -> true);
      Algorithms algorithms = new Algorithms(handle, stream, this, MOST, late);
      assertArrayEquals(Blas.words(kept), Blas.words(algorithms.choose(PRODUCT).orElseThrow()));
      assertSame(kept, new AlgorithmFile(other, "a card").find(PRODUCT));
    }
  }

  /** What is measured goes to the stream, where another thread may be recording a program. */
  @Test void nothingIsMeasuredWhileAnotherHasTheStream() throws InterruptedException {
    Object lock = new Object();
    Algorithms algorithms = new Algorithms(handle, stream, lock, MOST, file());
    Thread other = new Thread(() -> {
      Driver.makeCurrent(context);
      algorithms.choose(PRODUCT);
    });
    synchronized (lock) {
      other.start();
      while (other.getState() != Thread.State.BLOCKED && other.isAlive()) Thread.onSpinWait();
      assertEquals(Thread.State.BLOCKED, other.getState());
      assertEquals(Optional.empty(), file().find(PRODUCT));
    }
    other.join();
    assertTrue(proposals().size() == 1 || file().find(PRODUCT).isPresent());
  }

  /** Products of 16 bits with a bias, and with a residual too, of odd sizes and of even ones, as they lie in either way. */
  private static Stream<Product> additions() {
    int[][] sizes = {{33, 63, 65}, {5, 64, 31}, {1, 1, 1}};
    return Stream.of(DType.BF16, DType.F16).flatMap(type -> Stream.of(sizes).flatMap(s -> IntStream.range(0, 8)
        .mapToObj(i -> new Product(s[0], s[1], s[2], (i & 1) != 0, (i & 2) != 0, type, type, true, i >= 4))));
  }

  @Test void aRoundingOnTheWayShowsInATrial() {
    additions().forEach(p -> {
      Trial.Numbers n = Trial.Numbers.of(p);
      double sum = n.factor() * n.factor();
      for (double x : new double[] {n.factor(), n.bias(), n.residual(), n.c()}) assertEquals(x, rounded(p, x));
      assertEquals(n.c(), sum + n.bias() + n.residual());
      assertNotEquals(n.c(), rounded(p, sum) + n.bias() + n.residual());
      if (!p.residual()) return;
      assertNotEquals(n.c(), rounded(p, sum + n.bias()) + n.residual());
      assertNotEquals(n.c(), rounded(p, sum + n.residual()) + n.bias());
    });
  }

  private static double rounded(Product p, double x) {
    MemorySegment one = MemorySegment.ofArray(new short[1]);
    p.result().set(one, 0, x);
    return p.result().get(one, 0);
  }

  /** Of the emulator's proposals two round before they add a bias, or a bias and a residual, and the last is refused. */
  @Test void anAlgorithmThatRoundsOnTheWayIsNotChosen() {
    assumeTrue(CudaLibrary.isEmulated(), "the numbers of the library's algorithms have no meaning");
    additions().filter(p -> p.n() % 8 != 0).forEach(p -> {
      assertEquals(2, Blas.words(choice(p))[1], p::toString);
    });
  }

  /** The way around the library's own additions costs passes over c: the products of BERT do not take it. */
  @Test void productsOfBertHaveAlgorithmsThatRoundOnce() {
    int rows = CudaLibrary.isEmulated() ? 64 : 4096, c = CudaLibrary.isEmulated() ? 32 : 768;
    Algorithms algorithms = new Algorithms(handle, stream, this, MOST, file());
    for (DType type : new DType[] {DType.BF16, DType.F16}) {
      for (int[] nk : new int[][] {{c, c}, {4 * c, c}, {c, 4 * c}}) {
        Product p = new Product(rows, nk[0], nk[1], false, true, type, type, true, false);
        assertTrue(algorithms.choose(p).isPresent(), p::toString);
      }
    }
  }

  @Test void whatIsProposedAndThenRefusedIsNotChosen() {
    assumeTrue(CudaLibrary.isEmulated(), "a card's library refuses nothing that a test could name");
    assertNotEquals(3, Blas.words(choice())[1]);
  }

  /** Whichever algorithms there are, and in a way of its own where they are of no use. */
  @Test void sumsAreRoundedOnceBesideWhatIsAdded() {
    try (CudaBackend backend = new CudaBackend(Launching.RECORDED)) {
      for (int most = 1; most <= MOST; most++) {
        try (CublasLtKernels set = new CublasLtKernels(context, stream, this, most, folder.resolve("most" + most))) {
          additions().forEach(p -> {
            assertRoundedOnce(backend, set, p, false);
            if (p.residual()) assertRoundedOnce(backend, set, p, true);
          });
        }
      }
    }
  }

  private static void assertRoundedOnce(CudaBackend backend, KernelSet set, Product p, boolean inPlace) {
    Gemm op = new Gemm(p.transposeA(), p.transposeB(), true, p.residual(), inPlace);
    List<Spec> specs = new ArrayList<>(List.of(p.a(), p.b()));
    specs.add(Spec.of(DType.F32, p.n()));
    if (p.residual()) specs.add(p.c());
    Spec[] in = specs.toArray(Spec[]::new), out = {p.c()};
    assertTrue(set.supports(op, in));
    double[][] x = new double[in.length][];
    long scratch = set.scratchBytes(op, in), place = 1 << 14;
    try (Slab slab = backend.allocate((in.length + 1) * place + scratch, "test"); Arena arena = Arena.ofConfined()) {
      Span[] inputs = new Span[in.length];
      for (int i = 0; i < in.length; i++) {
        x[i] = numbers(in[i], i);
        MemorySegment host = arena.allocate(place);
        for (int e = 0; e < x[i].length; e++) in[i].type().set(host, e, x[i][e]);
        inputs[i] = slab.span(i * place, in[i].bytes());
        backend.upload(host, in[i].bytes(), inputs[i]);
      }
      Span c = inPlace ? inputs[op.residualInput()] : slab.span(in.length * place, out[0].bytes());
      Kernel kernel = set.prepare(op, new Operands(in, out, inputs, new Span[] {c},
          slab.span((in.length + 1) * place, scratch)));
      backend.synchronize();
      kernel.launch();
      Driver.synchronize(stream);
      kernel.close();
      MemorySegment read = backend.view(c, arena);
      double[] sums = sums(p, x[0], x[1]);
      for (int e = 0; e < sums.length; e++) {
        double exact = sums[e] + x[2][e % p.n()] + (p.residual() ? x[op.residualInput()][e] : 0);
        assertEquals(rounded(p, exact), p.result().get(read, e), "element " + e + " of " + p);
      }
    }
  }

  /** Numbers that 16 bits hold, and whose products' sums fp32 does. */
  private static double[] numbers(Spec spec, int seed) {
    return new Random(seed).ints(spec.shape().size(), -31, 32).mapToDouble(i -> i / 16.0).toArray();
  }

  /** op(a) op(b) (M,N). */
  private static double[] sums(Product p, double[] a, double[] b) {
    int m = p.m(), n = p.n(), k = p.k();
    double[] c = new double[m * n];
    for (int i = 0; i < c.length; i++) {
      int row = i / n, column = i % n;
      for (int d = 0; d < k; d++) {
        c[i] += a[p.transposeA() ? d * m + row : row * k + d] * b[p.transposeB() ? column * k + d : d * n + column];
      }
    }
    return c;
  }

  @Test void filesOfSeveralProcessesGrowTogether() {
    AlgorithmFile one = file(), other = file();
    long[] words = Blas.words(proposals().getFirst());
    one.put(PRODUCT, words, _ -> true);
    other.put(Product.square(DType.BF16, 8), words, _ -> true);
    assertEquals(Optional.empty(), one.find(Product.square(DType.BF16, 8)));
    assertTrue(file().find(PRODUCT).isPresent() && file().find(Product.square(DType.BF16, 8)).isPresent());
  }

  @Test void whatIsPutAtTheSameTimeIsAllKept() {
    long[] words = {1, 2, 3};
    IntStream sizes = IntStream.rangeClosed(1, 40);
    sizes.parallel().forEach(n -> file().put(Product.square(DType.F32, n), words, _ -> true));
    AlgorithmFile all = file();
    for (int n = 1; n <= 40; n++) assertArrayEquals(words, all.find(Product.square(DType.F32, n)).orElseThrow());
  }

  /** Neither is an answer kept that a card with more room would not give: what asks again may have it. */
  @Test void aCardTooFullToTryThemIsSaid() {
    assumeTrue(CudaLibrary.isEmulated(), "how much a card has is not known");
    try (CublasLtKernels set = new CublasLtKernels(context, stream, this, MOST, folder)) {
      for (DType type : new DType[] {DType.BF16, DType.F32}) {
        Spec[] in = {Spec.of(type, 1 << 17, 4), Spec.of(type, 1 << 17, 4), Spec.of(DType.F32, 1 << 17)};
        Gemm op = new Gemm(false, true, true, false, false);
        OutOfDeviceMemory e = assertThrows(OutOfDeviceMemory.class, () -> set.scratchBytes(op, in));
        assertTrue(e.getMessage().matches("cuda:0: [\\d,]+ bytes to try the algorithms for " + type.toString().toLowerCase()
            + "\\(131072,4\\) .* in were refused; free: [\\d,]+ of [\\d,]+\\. A smaller token budget leaves more"),
            e.getMessage());
        assertThrows(OutOfDeviceMemory.class, () -> set.scratchBytes(op, in));
      }
    }
  }

  @Test void aDamagedFileIsMeasuredAnew() throws IOException {
    assumeTrue(proposals().size() > 1, "there is a choice");
    choice();
    String whole = Files.readString(written());
    int digit = whole.indexOf(" = ") + 5;
    for (String damaged : List.of(whole.substring(0, digit) + "!" + whole.substring(digit + 1),
        whole.substring(0, whole.length() / 2), "", whole.replace("dyr products 3", "dyr products 2"))) {
      Files.writeString(written(), damaged);
      assertEquals(Optional.empty(), file().find(PRODUCT), damaged);
      assertSame(choice(), file().find(PRODUCT));
    }
    Files.write(written(), new byte[] {(byte) 0xff, (byte) 0xfe, 0});
    assertSame(choice(), file().find(PRODUCT));
  }

  @Test void whatTheLibraryDoesNotKnowIsMeasuredAnew() {
    assumeTrue(CudaLibrary.isEmulated(), "a foreign algorithm is none");
    for (int words : new int[] {8, 1, 99}) {
      overwrite(new long[words]);
      assertSame(choice(), file().find(PRODUCT));
    }
  }

  @Test void aFileThatCannotBeWrittenIsDoneWithout() throws IOException {
    Files.writeString(folder.resolve("products"), "not a folder");
    try (Descriptors d = Descriptors.of(PRODUCT)) {
      assertNotNull(Blas.restored(handle, d, Blas.words(choice())));
    }
    assertEquals(Optional.empty(), file().find(PRODUCT));
  }

  @Test void aFailureNamesFunctionProductAndStatus() {
    try (Descriptors d = Descriptors.of(Product.square(DType.BF16, 8))) {
      DeviceException e = assertThrows(DeviceException.class, () -> Blas.algorithms(handle, d, 0));
      assertEquals("cublasLtMatmulAlgoGetHeuristic of bf16(8,8) bf16(8,8)^T -> bf16(8,8): CUBLAS_STATUS_INVALID_VALUE (7)",
          e.getMessage());
    }
  }

  @Test void operandsThatAlgorithmsDoNotExpectAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new CublasLtProduct.Operands(64, 128, 8, 0, 256, 0));
  }

  @Test void aLaunchAllocatesNothing() {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    Product p = Product.square(DType.BF16, 16);
    Blas.Algorithm algorithm = new Algorithms(handle, stream, this, 1, file()).choose(p).orElseThrow();
    long memory = Driver.allocate(2048 + algorithm.workspaceBytes());
    CublasLtProduct product = new CublasLtProduct(handle, p, algorithm,
        new CublasLtProduct.Operands(memory, memory + 512, 0, 0, memory + 1024, memory + 2048), stream);
    long before = 0;
    for (int i = 0; i < 2 * LAUNCHES; i++) {
      if (i == LAUNCHES) before = threads.getCurrentThreadAllocatedBytes();
      product.launch();
    }
    assertEquals(0, threads.getCurrentThreadAllocatedBytes() - before);
    Driver.synchronize(stream);
    product.close();
    Driver.free(memory);
  }

  @Test void aRecordedProductReadsItsOperandsAtEachLaunch() {
    Spec square = Spec.of(DType.F32, 16, 16);
    Spec[] squares = {square, square}, result = {square};
    long bytes = square.bytes();
    try (CudaBackend backend = new CudaBackend(Launching.RECORDED); Arena arena = Arena.ofConfined();
        Slab slab = backend.allocate(8 * bytes, "test")) {
      KernelSet set = backend.choose(new MatMul(false, false), squares).orElseThrow();
      assertEquals("cublaslt", set.name());
      Span c = slab.span(0, bytes);
      Kernel product = set.prepare(new MatMul(false, false), new Operands(squares, result,
          new Span[] {slab.span(bytes, bytes), slab.span(2 * bytes, bytes)}, new Span[] {c},
          slab.span(3 * bytes, set.scratchBytes(new MatMul(false, false), squares))));
      Kernel recorded = backend.sequence(new Kernel[] {product});
      MemorySegment host = arena.allocate(2 * bytes);
      for (float x : new float[] {1, 2, 3}) {
        for (long i = 0; i < host.byteSize() / Float.BYTES; i++) host.setAtIndex(ValueLayout.JAVA_FLOAT, i, x);
        backend.upload(host, 2 * bytes, slab.span(bytes, 2 * bytes));
        recorded.launch();
        backend.download(c, host);
        for (int i = 0; i < 256; i++) assertEquals(16 * x * x, host.getAtIndex(ValueLayout.JAVA_FLOAT, i));
      }
      recorded.close();
      product.close();
    }
  }

  @Test void thePeakIsMeasured() {
    try (CudaBackend backend = new CudaBackend(Launching.RECORDED)) {
      Peak peak = backend.measurePeak();
      assertTrue(peak.fp32() > 0 && peak.bf16() > 0 && peak.bytes() > 0, peak.toString());
    }
  }
}
