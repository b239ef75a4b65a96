package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
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
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What the emulated card cannot show, and only a real one can: {@code -Dcuda.emulator=} takes it. Its instructions, their
 * alignment and the rounding of its sums are the op table's to find ({@code CudaParityTest} on a card).
 */
class CudaCardTest {

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
