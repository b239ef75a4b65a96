package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.nn.BertConfig;
import org.dyr.op.Activation;
import org.dyr.op.Gemm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the emulated card cannot show, and only a real one can: {@code -Dcuda.emulator=} takes it. Its instructions, their
 * alignment and the rounding of its sums are the op table's to find ({@code CudaParityTest} on a card).
 */
class CudaCardTest {
  private static final int THREADS = 4;
  private static final int SIZES = 12;

  @BeforeEach void requireCard() {
    assumeTrue(System.getProperty("dyr.cuda.emulator", "").isEmpty(), "needs a card: the device cuda is the emulated one");
    try (Backend backend = open()) {
      assertEquals("cuda:0", backend.name());
    } catch (IllegalArgumentException e) {
      assumeTrue(false, "needs a card: " + e.getMessage());
    }
  }

  private static Backend open() {
    return Devices.open("cuda", DeviceOptions.defaults());
  }

  /** Blocks that are at work at the same time, thousands of them: losses of two runs to the last bit, and the CPU's. */
  @Test void aStepThatFillsTheCardRepeatsAndIsTheCpus() {
    List<Double> once = losses(open(), DType.BF16), again = losses(open(), DType.BF16);
    assertEquals(once, again);
    List<Double> cpu = losses(Devices.open("cpu", DeviceOptions.defaults()), DType.F32), card = losses(open(), DType.F32);
    for (int i = 0; i < cpu.size(); i++) assertEquals(cpu.get(i), card.get(i), 1e-3, "loss of step " + i);
  }

  /** Of three steps on 96 sequences of up to 200 tokens, heads of 64. */
  private static List<Double> losses(Backend device, DType compute) {
    BertConfig config = new BertConfig(TinyData.VOCABULARY, 256, 2, 4, 1024, Activation.Kind.GELU, 256, 2, 1e-12, 0.1, 0.1,
        0.1, 0.02);
    List<EncodedGroup> groups = TinyBatches.encodedGroups(6, 12, 8, 200);
    List<Double> losses = new ArrayList<>();
    try (Backend backend = device; Model model = Model.create(config, null, backend, 1).in(compute);
        TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), 1, new StepSettings(1, 1 << 16))) {
      for (int i = 0; i < 3; i++) losses.add(step.run(groups, i, 1e-3).loss());
    }
    return losses;
  }

  /** cuBLASLt has an algorithm for every product of BERT-base and of six layers of 384, in each type and direction. */
  @Test void everyProductOfBertHasAnAlgorithm() {
    try (Backend backend = open()) {
      for (DType type : new DType[] {DType.F32, DType.BF16, DType.F16}) {
        for (int c : new int[] {768, 384}) {
          for (int[] nk : new int[][] {{c, c}, {4 * c, c}, {c, 4 * c}}) {
            Spec x = Spec.of(type, 4096, nk[1]), w = Spec.of(type, nk[0], nk[1]), y = Spec.of(type, 4096, nk[0]);
            requireKernel(backend, new MatMul(false, true), x, w);
            requireKernel(backend, new MatMul(false, false), y, w);
            requireKernel(backend, new MatMul(true, false, type.isHalf()), y, x);
            requireKernel(backend, new Gemm(false, false, false, true, false), y, w, x);
          }
        }
      }
    }
  }

  private static void requireKernel(Backend backend, Op op, Spec... in) {
    assertTrue(backend.choose(op, in).isPresent(), () -> op + " of " + List.of(in));
  }

  @Test void peaksAreThoseOfACard() {
    try (Backend backend = open()) {
      Peak peak = backend.measurePeak();
      assertTrue(peak.fp32() > 1e12 && peak.bf16() > 2 * peak.fp32() && peak.bytes() > 1e11, peak.toString());
    }
  }

  /** Threads meet new sizes, whose products are measured, while others record theirs: scores are those of one thread. */
  @Test void threadsScoreWhileProductsAreMeasured(@TempDir Path folder) throws Exception {
    String cache = System.getProperty("dyr.cache");
    try {
      System.setProperty("dyr.cache", folder.resolve("one").toString());
      List<float[]> alone = scores(1);
      System.setProperty("dyr.cache", folder.resolve("many").toString()); // nothing is known there
      List<float[]> together = scores(THREADS);
      for (int i = 0; i < alone.size(); i++) assertArrayEquals(alone.get(i), together.get(i), 1e-3f, "batch " + i);
    } finally {
      if (cache == null) System.clearProperty("dyr.cache");
      else System.setProperty("dyr.cache", cache);
    }
  }

  /** Of batches of many sizes, each three times: run, recorded, replayed. */
  private static List<float[]> scores(int threads) throws Exception {
    BertConfig config = new BertConfig(TinyData.VOCABULARY, 256, 2, 4, 1024, Activation.Kind.GELU, 256, 2, 1e-12, 0, 0, 0,
        0.1);
    Random random = new Random(1);
    List<Callable<float[]>> calls = new ArrayList<>();
    try (Backend backend = open(); Model model = Model.create(config, null, backend, 1);
        Scorer scorer = new Scorer(model, Set.of()); ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      for (int size = 1; size <= SIZES; size++) {
        List<EncodedPair> pairs = new ArrayList<>();
        for (int i = 0; i < 4 * size; i++) {
          pairs.add(new EncodedPair(random.ints(10 * size, 0, TinyData.VOCABULARY).toArray(), 5));
        }
        calls.add(() -> scorer.score(pairs));
      }
      List<float[]> scores = new ArrayList<>();
      for (int turn = 0; turn < 3; turn++) {
        scores.clear();
        for (Future<float[]> f : pool.invokeAll(calls)) scores.add(f.get());
      }
      return scores;
    }
  }

  /** Memory is filled until the card refuses; afterwards it works as before. */
  @Test void aFullCardSaysSoAndGoesOn() {
    try (Backend backend = open(); Arena arena = Arena.ofConfined()) {
      List<Slab> slabs = new ArrayList<>();
      try {
        OutOfDeviceMemory e = assertThrows(OutOfDeviceMemory.class, () -> {
          while (true) slabs.add(backend.allocate(4L << 30, "ballast"));
        });
        assertTrue(e.getMessage().contains("ballast"), e.getMessage());
      } finally {
        slabs.forEach(Slab::close);
      }
      try (Slab slab = backend.allocate(16, "after")) {
        int[] written = {1, 2, 3, 4};
        backend.upload(arena.allocateFrom(ValueLayout.JAVA_INT, written), 16, slab.span(0, 16));
        assertArrayEquals(written, backend.view(slab.span(0, 16), arena).toArray(ValueLayout.JAVA_INT));
      }
    }
  }
}
