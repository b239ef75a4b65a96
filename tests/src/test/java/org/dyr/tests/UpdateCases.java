package org.dyr.tests;

import static org.dyr.tests.Arg.filled;
import static org.dyr.tests.Arg.uniform;
import static org.dyr.tests.Arg.values;

import java.util.ArrayList;
import java.util.List;
import org.dyr.op.Update;
import org.dyr.op.Update.Segment;

/** The rows of {@link OpCases} for the optimizers. */
final class UpdateCases {
  private static final double RATE = 0.05;
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPS = 1e-6;

  private final List<OpCase> cases = new ArrayList<>();

  private UpdateCases() {}

  static List<OpCase> all() {
    UpdateCases c = new UpdateCases();
    for (int n : OpCases.SIZES) c.add("one parameter", List.of(new Segment("w", 0, n, true)), n, 1);
    List<Segment> several = List.of(new Segment("w", 0, 33, true), new Segment("b", 48, 1, false),
        new Segment("zero.p", 64, 31, true), new Segment("zero.g", 96, 65, true), new Segment("large.p", 176, 7, false),
        new Segment("w2", 192, 300, true));
    c.add("gaps, a zero parameter, a zero gradient, a large parameter", several, 500, 1);
    c.add("clipped", several, 500, 0.25);
    c.add("skipped", several, 500, Double.NaN);
    c.add("the model's", List.of(new Segment("weight", 0, 768 * 65, true), new Segment("bias", 768 * 65, 768, false)),
        768 * 66, 1);
    List<Segment> many = new ArrayList<>();
    for (int i = 0; i < 600; i++) many.add(new Segment("w" + i, 4L * i, 1 + i % 4, i % 2 == 0));
    c.add("many", many, 2400, 1);
    c.add("odd places", List.of(new Segment("w", 3, 9000, true), new Segment("b", 9003, 2, false)), 9006, 1);
    return c.cases;
  }

  /** One case for each optimizer, at its third step. */
  private void add(String edge, List<Segment> segments, int n, double factor) {
    Arg p = filled((r, i) -> in(segments, "zero.p", i) ? 0
        : (2 * r.nextDouble() - 1) * (in(segments, "large.p", i) ? 1000 : 1), n);
    Arg g = filled((r, i) -> in(segments, "zero.g", i) ? 0 : 2 * r.nextDouble() - 1, n);
    Arg m = Arg.of(n), v = uniform(0, 1, n), scale = values(factor);
    Arg hyper = values(RATE, 1 / (1 - Math.pow(BETA1, 3)), 1 / (1 - Math.pow(BETA2, 3)));
    cases.add(OpCase.of(new Update.Lamb(segments, BETA1, BETA2, EPS, 0.01), p, m, v, g, scale, hyper).on(edge));
    cases.add(OpCase.of(new Update.AdamWeightDecay(segments, BETA1, BETA2, EPS, 0.01), p, m, v, g, scale,
        hyper).on(edge));
    cases.add(OpCase.of(new Update.Momentum(segments, 0.9), p, m, g, scale, hyper).on(edge));
  }

  private static boolean in(List<Segment> segments, String name, int i) {
    return segments.stream().anyMatch(s -> s.name().equals(name) && i >= s.offset() && i < s.offset() + s.length());
  }
}
