package org.dyr.benchmarks.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.benchmarks.peers.Contestant.Kind;
import org.dyr.benchmarks.peers.Job.Precision;
import org.junit.jupiter.api.Test;

class ReportTest {
  private static final Row ROW = row("infer minilm 32x128");

  private static Row row(String name) {
    return Row.all().stream().filter(r -> r.name().equals(name)).findFirst().orElseThrow();
  }

  private static Result result(Kind kind, Precision precision, String failure, double... millis) {
    return new Result(new Contestant(kind, precision), "set", new Rounds.Score(millis, failure), 3L << 20,
        kind == Kind.OURS ? 0 : 0.00123);
  }

  private static final List<Result> RESULTS = List.of(
      result(Kind.OURS, Precision.F32, null, 300, 500, 400),
      result(Kind.OURS, Precision.BF16, null, 60, 50, 70),
      result(Kind.TORCH, Precision.F32, null, 200, 200, 200),
      result(Kind.TORCH, Precision.BF16, null, 120, Double.NaN, Double.NaN),
      result(Kind.ONNX, Precision.F32, null, 150, 100, 500),
      result(Kind.ONNX, Precision.INT8, "its process ended with status 132", Double.NaN, Double.NaN, Double.NaN));

  @Test void detailsHaveALineEach() {
    assertEquals("""
        | infer minilm 32x128 | setting | ms | rounds | DYR fp32 / it | DYR bf16 / it | peak MiB | differs by |
        |---|---|---:|---:|---:|---:|---:|---:|
        | DYR fp32 | set | 400 | 3 | 1.00 | 0.18 | 3 | 0e+00 |
        | DYR bf16 | set | 60.0 | 3 | 5.71 | 1.00 | 3 | 0e+00 |
        | libtorch 2.13 fp32 | set | 200 | 3 | 2.00 | 0.30 | 3 | 1e-03 |
        | libtorch 2.13 bf16 | set | 120 | 1 | 2.50 | 0.50 | 3 | 1e-03 |
        | ONNX Runtime 1.29 fp32 | set | 150 | 3 | 2.00 | 0.40 | 3 | 1e-03 |
        | ONNX Runtime 1.29 int8 | set | its process ended with status 132 | 0 | - | - | 3 | 1e-03 |
        """, Report.details(ROW, RESULTS));
  }

  @Test void rowsThatOnlyCompareHaveNoTimes() {
    assertEquals("""
        | train tiny 16x24 | setting | differs by |
        |---|---|---:|
        | DYR fp32 | set | 0e+00 |
        | libtorch 2.13 fp32 | set | 1e-03 |
        """, Report.details(row("train tiny 16x24"), List.of(RESULTS.get(0), RESULTS.get(2))));
  }

  @Test void theSummarySetsUsBesideTheBestPeerOfEachPrecision() {
    Map<Row, List<Result>> all = new LinkedHashMap<>();
    all.put(row("infer tiny 16x24"), RESULTS);
    all.put(ROW, RESULTS);
    String[] lines = Report.summary(all).split("\n");
    assertEquals(3, lines.length, "rows that only compare numbers are left out");
    assertEquals("| infer minilm 32x128 | 400 | 150 (ONNX Runtime 1.29) | 2.00 | 60.0 | 120 (libtorch 2.13) | 0.50 "
        + "| - |", lines[2]);
    assertEquals("", Report.summary(Map.of(row("infer tiny 16x24"), RESULTS)));
  }

  @Test void numbersOfOtherWorkAreNoticedInFp32() {
    assertTrue(RESULTS.get(2).strays());
    assertFalse(RESULTS.get(0).strays());
    assertFalse(RESULTS.get(3).strays(), "bf16 rounds");
  }

  @Test void jsonHasEveryTimeAndWhatFailed() throws IOException {
    JsonNode all = new ObjectMapper().readTree(Report.json(Map.of(ROW, RESULTS)));
    assertEquals(6, all.size());
    assertEquals("infer minilm 32x128", all.get(0).get("work").asText());
    assertEquals(500, all.get(0).get("millis").get(1).asDouble());
    assertTrue(all.get(3).get("millis").get(1).isNull());
    assertEquals("its process ended with status 132", all.get(5).get("failure").asText());
  }
}
