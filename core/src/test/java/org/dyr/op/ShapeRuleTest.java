package org.dyr.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Optional;
import org.dyr.graph.Graph;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.ShapeException;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;

/** A wrong operand gets one message: which op, what must hold, what came, and where in the model. */
class ShapeRuleTest {
  private static final Spec OFFSETS = Spec.of(DType.I32, 3);

  private static Spec f32(int... dims) {
    return Spec.of(DType.F32, dims);
  }

  private static void refused(String message, Op op, Spec... in) {
    assertEquals(message, assertThrows(ShapeException.class, () -> op.outputs(in)).getMessage());
  }

  @Test void products() {
    assertArrayEquals(new Spec[] {f32(2, 5)}, new MatMul(true, true).outputs(f32(3, 2), f32(5, 3)));
    refused("MatMul: inner sizes differ: a f32(2,3) has 3, b f32(4,5) has 4", new MatMul(false, false), f32(2, 3),
        f32(4, 5));
    refused("MatMul: b must be a matrix, not f32(3)", new MatMul(false, false), f32(2, 3), f32(3));
    refused("MatMul: types differ: a f32(2,3), b f64(3,4)", new MatMul(false, false), f32(2, 3),
        Spec.of(DType.F64, 3, 4));
    refused("MatMul: takes 2 inputs, not 1", new MatMul(false, false), f32(2, 3));
    refused("Gemm: bias must be f32(5), not f32(2)", new Gemm(false, false, true, false, false), f32(2, 3), f32(3, 5),
        f32(2));
    refused("Gemm: residual f32(5) must be f32(2,5)", new Gemm(false, false, false, true, false), f32(2, 3), f32(3, 5),
        f32(5));
    refused("Gemm: in place needs a residual to be written over", new Gemm(false, false, false, false, true), f32(2, 3),
        f32(3, 5));
  }

  @Test void panels() {
    assertArrayEquals(new Spec[] {f32(3, 2, 4, 16, 2)}, new Panels(3, 16, 2).outputs(f32(32, 24)));
    assertArrayEquals(new Spec[] {f32(5, 32)}, new MatMul(false, true).outputs(f32(5, 24), f32(3, 2, 4, 16, 2)));
    refused("Panels: f32(40,24) does not divide into 3 parts of 16 columns and units of 2", new Panels(3, 16, 2),
        f32(40, 24));
    refused("MatMul: b in panels is transposed", new MatMul(false, false), f32(5, 24), f32(3, 2, 4, 16, 2));
    refused("MatMul: inner sizes differ: a f32(5,32) has 32, b f32(3,2,4,16,2) has 24", new MatMul(false, true),
        f32(5, 32), f32(3, 2, 4, 16, 2));
  }

  @Test void rows() {
    refused("AddBias: bias must be f32(4), not f32(3)", new AddBias(), f32(2, 4), f32(3));
    refused("Add: a f32(2,4) and b f32(4,2) must be alike", new Add(false), f32(2, 4), f32(4, 2));
    refused("Scale: factor must be f32(1), not f32(2)", new Scale(), f32(2, 4), f32(2));
    refused("Activation: x must be floating, not i32(3)", new Activation(Activation.Kind.TANH), OFFSETS);
    refused("LayerNorm: w must be f32(4), not f32(2)", new LayerNorm(1e-12), f32(2, 4), f32(2), f32(4));
    refused("Gather: index must be i32(n), not f32(3)", new Gather(), f32(5, 4), f32(3));
    refused("Gather: table must be a matrix, not f32(5)", new Gather(), f32(5), OFFSETS);
    Spec one = Spec.of(DType.I32, 1);
    refused("Add: a must be floating, not i32(3)", new Add(false), OFFSETS, OFFSETS);
    refused("AddBias: x must be floating, not i32(3)", new AddBias(), OFFSETS, OFFSETS);
    refused("Scale: x must be floating, not i32(3)", new Scale(), OFFSETS, one);
    refused("Sum: x must be floating, not i32(3)", new Sum(), OFFSETS);
    refused("SumRows: x must be floating, not i32(3)", new SumRows(), OFFSETS);
    refused("Broadcast: x must be floating, not i32(1)", new Broadcast(Shape.of(3)), one);
    assertEquals(f32(6, 4), new AllGather(3).outputs(f32(2, 4))[0]);
    assertEquals(f32(2, 4), new AllGather.Grad(3).outputs(f32(6, 4))[0]);
    refused("AllGather: x must be a matrix, not f32(5)", new AllGather(3), f32(5));
    refused("AllGather.Grad: the 5 rows of dy must be 3 equal parts", new AllGather.Grad(3), f32(5, 1));
    assertThrows(ShapeException.class, () -> new AllGather(0));
    refused("Broadcast: x must be f32(1), not f32(2)", new Broadcast(Shape.of(3)), f32(2));
    refused("IfFinite: rows must be floating (2,K), not f32(3,4)", new IfFinite(), f32(3, 4), f32(1));
    refused("ClipFactor: the norm to clip at must not be negative, it is -1.0", new ClipFactor(-1), f32(1), f32(1));
  }

  @Test void dropouts() {
    Spec random = Spec.of(DType.I32, 4), rows = Spec.of(DType.I32, 2);
    refused("Dropout: the probability must be in [0, 1), not 1.0", new Dropout(1, 0), f32(2, 4), random, rows, rows);
    refused("Dropout: random must be i32(4), not i32(2)", new Dropout(0.1, 0), f32(2, 4), rows, rows, rows);
    refused("Dropout: position must be i32(2), not i32(3)", new Dropout(0.1, 0), f32(2, 4), random, rows, OFFSETS);
    refused("DropoutAddLayerNorm: takes 7 inputs, not 4", new DropoutAddLayerNorm(0.1, 0, 1e-12, false), f32(2, 4),
        f32(2, 4), f32(4), f32(4));
    DropoutAddLayerNorm biased = new DropoutAddLayerNorm(0, 0, 1e-12, true);
    refused("DropoutAddLayerNorm: takes 5 inputs, not 4", biased, f32(2, 4), f32(2, 4), f32(4), f32(4));
    refused("DropoutAddLayerNorm: bias must be f32(4), not f32(3)", biased, f32(2, 4), f32(2, 4), f32(4), f32(4),
        f32(3));
  }

  @Test void embeddings() {
    Spec tokens = Spec.of(DType.I32, 2);
    EmbeddingLayerNorm op = new EmbeddingLayerNorm(2, 1e-12, Optional.of(DType.BF16), true);
    assertArrayEquals(new Spec[] {Spec.of(DType.BF16, 2, 4), f32(2, 4), f32(2), f32(2)},
        op.outputs(f32(9, 4), tokens, f32(3, 4), tokens, f32(4), f32(4)));
    assertArrayEquals(new Spec[] {Spec.of(DType.BF16, 2, 4)},
        op.unkept().outputs(f32(9, 4), tokens, f32(3, 4), tokens, f32(4), f32(4)));
    refused("EmbeddingLayerNorm: takes 6 inputs, not 4", op, f32(9, 4), tokens, f32(4), f32(4));
    refused("EmbeddingLayerNorm: rows of table 1 are f32(3,4), those of the first f32(2,4)", op, f32(9, 4), tokens,
        f32(3, 4), OFFSETS, f32(4), f32(4));
    refused("EmbeddingLayerNorm: adds up 2 tables or more, not 1", new EmbeddingLayerNorm(1, 1e-12, Optional.empty(),
        true), f32(9, 4), tokens, f32(4), f32(4));
  }

  @Test void attention() {
    assertArrayEquals(new Spec[] {f32(6, 8), f32(2, 6)}, new Attention(2, 4, 0, 0).outputs(f32(6, 8), f32(6, 8),
        f32(6, 8), OFFSETS));
    refused("Attention: 8 columns do not divide into 3 heads", new Attention(3, 4, 0, 0), f32(6, 8), f32(6, 8),
        f32(6, 8), OFFSETS);
    refused("Attention: f32(5,8) and f32(6,8) must be alike", new Attention(2, 4, 0, 0), f32(6, 8), f32(5, 8),
        f32(6, 8), OFFSETS);
    refused("Attention: what has a row a query must be f32(6,8), not f32(2,8)", new Attention(2, 4, 0, 0), f32(2, 8),
        f32(6, 8), f32(6, 8), OFFSETS);
    refused("Attention: offsets must be i32(n), not f32(3)", new Attention(2, 4, 0, 0), f32(6, 8), f32(6, 8),
        f32(6, 8), f32(3));
    refused("AttentionSoftmax: s must be (H,Q,L), not f32(6,8)", new AttentionSoftmax(), f32(6, 8), OFFSETS);
  }

  @Test void attentionOfFirstTokens() {
    Attention op = new Attention(2, 4, 0, 0, Queries.FIRST);
    assertArrayEquals(new Spec[] {f32(2, 8), f32(2, 2)}, op.outputs(f32(2, 8), f32(6, 8), f32(6, 8), OFFSETS));
    assertArrayEquals(new Spec[] {f32(2, 8), f32(6, 8), f32(6, 8)}, new Attention.Grad(op).outputs(f32(2, 8), f32(2, 8),
        f32(6, 8), f32(6, 8), f32(2, 8), f32(2, 2), OFFSETS));
    refused("Attention[FIRST]: what has a row a query must be f32(2,8), not f32(6,8)", op, f32(6, 8), f32(6, 8),
        f32(6, 8), OFFSETS);
    refused("AttentionSoftmax: s must have 2 queries, not 6", new AttentionSoftmax(Queries.FIRST), f32(2, 6, 4),
        OFFSETS);
    assertThrows(ShapeException.class, () -> new RelativeAttention(op));
  }

  /** Two sequences of six tokens, as if of three each, whatever the longest may be; first tokens meet each key once. */
  @Test void attentionsProductsAreCountedByWhatABatchHolds() {
    for (int longest : new int[] {3, 512}) {
      Attention all = new Attention(2, longest, 0, 0), first = new Attention(2, longest, 0, 0, Queries.FIRST);
      Spec x = f32(6, 8), asking = f32(2, 8), lse = f32(2, 6), table = f32(33, 4);
      assertEquals(4 * 8 * 18, all.flops(new Spec[] {x, x, x, OFFSETS}));
      assertEquals(10 * 8 * 18, new Attention.Grad(all).flops(new Spec[] {x, x, x, x, x, lse, OFFSETS}));
      assertEquals(4 * 8 * 6, first.flops(new Spec[] {asking, x, x, OFFSETS}));
      assertEquals(10 * 8 * 6, new Attention.Grad(first).flops(new Spec[] {asking, asking, x, x, asking, f32(2, 2),
          OFFSETS}));
      assertEquals(4 * 8 * 18 + 4 * 8 * 6 * 33, new RelativeAttention(all).flops(new Spec[] {x, x, x, OFFSETS, table}));
      Spec p = f32(2, 6, longest);
      assertEquals(2 * 8 * 18, new AttentionScores(2, longest).flops(new Spec[] {x, x, OFFSETS}));
      assertEquals(4 * 8 * 18, new AttentionScores.Grad(2).flops(new Spec[] {p, x, x, OFFSETS}));
      assertEquals(2 * 8 * 18, new AttentionContext(2).flops(new Spec[] {p, x, OFFSETS}));
      assertEquals(4 * 8 * 18, new AttentionContext.Grad(2).flops(new Spec[] {x, p, x, OFFSETS}));
      assertEquals(2 * 8 * (18 + 6 * 33), new RelativeScores(2, longest).flops(new Spec[] {x, x, table, OFFSETS}));
      assertEquals(4 * 8 * (18 + 6 * 33), new RelativeScores.Grad(2).flops(new Spec[] {p, x, x, table, OFFSETS}));
      assertEquals(2 * 8 * (18 + 6 * 33), new RelativeContext(2).flops(new Spec[] {p, x, table, OFFSETS}));
      assertEquals(4 * 8 * (18 + 6 * 33), new RelativeContext.Grad(2).flops(new Spec[] {x, p, x, table, OFFSETS}));
    }
    assertEquals(4 * 8 * 12, new Attention(2, 2, 0, 0).flops(new Spec[] {f32(6, 8), f32(6, 8), f32(6, 8), OFFSETS}),
        "none is longer than two");
  }

  @Test void absorbedAttention() {
    AbsorbedAttention op = new AbsorbedAttention(2, 4);
    assertEquals(f32(2, 8), op.outputs(f32(2, 8), f32(6, 5), f32(8, 5), f32(8), f32(8, 5), f32(8), OFFSETS)[0]);
    refused("AbsorbedAttention: takes 7 inputs, not 3", op, f32(2, 8), f32(6, 5), OFFSETS);
    refused("Attention[FIRST]: f32(6,8) and f32(6,6) must be alike", op, f32(2, 8), f32(6, 5), f32(8, 5), f32(8),
        f32(6, 5), f32(6), OFFSETS);
  }

  @Test void gemmRounding() {
    Op op = new GemmRounding(new MatMul(false, true));
    Spec a = Spec.of(DType.BF16, 2, 8);
    assertEquals(Spec.of(DType.BF16, 2, 5), op.outputs(a, f32(5, 8))[0]);
    assertEquals(2 * 2 * 5 * 8, op.flops(new Spec[] {a, f32(5, 8)}));
    refused("MatMul[ROUNDING]: b must be F32, not bf16(5,8)", op, a, Spec.of(DType.BF16, 5, 8));
    refused("MatMul[ROUNDING]: takes a and b at least, not 1 inputs", op, a);
    refused("MatMul: inner sizes differ: a bf16(2,8) has 8, b bf16(5,7) has 7", op, a, f32(5, 7));
  }

  @Test void relativeAttention() {
    RelativeAttention op = new RelativeAttention(new Attention(2, 4, 0, 0));
    assertArrayEquals(new Spec[] {f32(6, 8), f32(2, 6)}, op.outputs(f32(6, 8), f32(6, 8), f32(6, 8), OFFSETS,
        f32(33, 4)));
    refused("RelativeAttention: takes 5 inputs, not 4", op, f32(6, 8), f32(6, 8), f32(6, 8), OFFSETS);
    refused("RelativeAttention: the table of distances must be f32(33,4), not f32(33,8)", op, f32(6, 8), f32(6, 8),
        f32(6, 8), OFFSETS, f32(33, 8));
    refused("RelativeScores: the table of distances must have 2m+1 rows, m at least 1, not 32",
        new RelativeScores(2, 4), f32(6, 8), f32(6, 8), f32(32, 4), OFFSETS);
    refused("RelativeContext: the table of distances must be a matrix, not f32(33)", new RelativeContext(2),
        f32(2, 6, 4), f32(6, 8), f32(33), OFFSETS);
  }

  @Test void losses() {
    refused("GroupCrossEntropy: z must be (S,1), not f32(6)", new GroupCrossEntropy(), f32(6), OFFSETS);
    refused("GroupCrossEntropy.Grad: dloss must be f32(2), not f32(3)", new GroupCrossEntropy.Grad(), f32(3),
        f32(6, 1), OFFSETS);
  }

  @Test void updates() {
    Update op = new Update.Momentum(List.of(new Update.Segment("w", 3, 2, true)), 0.9);
    refused("Momentum: Segment[name=w, offset=3, length=2, decay=true] lies outside f32(4)", op, f32(4), f32(4),
        f32(4), f32(1), f32(3));
    refused("Momentum: hyper must be f32(3), not f32(1)", op, f32(5), f32(5), f32(5), f32(1), f32(1));
  }

  @Test void theMessageEndsWithThePlaceInTheModel() {
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", f32(2, 4)), w = graph.input("w", f32(3, 5));
    try (Graph.Scope _ = graph.scope("encoder.3"); Graph.Scope _ = graph.scope("ffn.up")) {
      String message =
          assertThrows(ShapeException.class, () -> graph.emit(new MatMul(false, false), x, w)).getMessage();
      assertEquals("MatMul: inner sizes differ: a f32(2,4) has 4, b f32(3,5) has 3   at encoder.3.ffn.up", message);
    }
    String top = assertThrows(ShapeException.class, () -> graph.emit(new MatMul(false, false), x, w)).getMessage();
    assertEquals("MatMul: inner sizes differ: a f32(2,4) has 4, b f32(3,5) has 3   at the top", top);
  }
}
