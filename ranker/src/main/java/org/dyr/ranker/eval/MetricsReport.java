package org.dyr.ranker.eval;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Metrics as JSON and as a table. Every figure stands under the name of its denominator and has 16 decimals (trailing
 * zeros left out): all that is sure, since the order of summation shows in the seventeenth.
 */
public final class MetricsReport {
  private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT)
      .enable(JsonGenerator.Feature.WRITE_BIGDECIMAL_AS_PLAIN);

  private MetricsReport() {}

  /**
   * JSON of the form {@code {"relevant_from", "queries_judged", "queries_judged_without_relevant", "queries_in_run",
   * "queries_in_both", "over_queries_in_both": {"MRR@10", "MRR@100", "nDCG@10", "MAP", "Recall@100"},
   * "over_judged_queries": {the same}}}.
   */
  public static String json(Metrics m) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("relevant_from", m.relevantFrom());
    json.put("queries_judged", m.judgedQueries());
    json.put("queries_judged_without_relevant", m.judgedWithoutRelevant());
    json.put("queries_in_run", m.runQueries());
    json.put("queries_in_both", m.queriesInBoth());
    json.put("over_queries_in_both", named(m.overQueriesInBoth()));
    json.put("over_judged_queries", named(m.overJudgedQueries()));
    try {
      return JSON.writeValueAsString(json);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e); // a map of numbers always has a JSON form
    }
  }

  /** Writes {@link #json} to a file, whole or not at all. */
  public static void writeJson(Path file, Metrics m) throws IOException {
    AtomicText.write(file, out -> out.append(json(m)).append('\n'));
  }

  /** A table of five lines with two columns, and the numbers of queries under it. Ends with a line feed. */
  public static String table(Metrics m) {
    StringBuilder table = new StringBuilder();
    table.append("%-12s%-24s%s\n".formatted("", "over queries in both", "over judged queries"));
    Map<String, BigDecimal> judged = named(m.overJudgedQueries());
    named(m.overQueriesInBoth())
        .forEach((name, both) -> table.append(
            "%-12s%-24s%s\n".formatted(name, both.toPlainString(), judged.get(name).toPlainString())));
    table.append("%-12s%-24s%s\n".formatted("queries", m.queriesInBoth(), m.judgedQueries()));
    table.append("relevant from grade %d; queries in the run %d; judged queries without a relevant passage %d\n"
        .formatted(m.relevantFrom(), m.runQueries(), m.judgedWithoutRelevant()));
    return table.toString();
  }

  private static Map<String, BigDecimal> named(Measures m) {
    Map<String, BigDecimal> named = new LinkedHashMap<>();
    named.put("MRR@10", decimals(m.mrr10()));
    named.put("MRR@100", decimals(m.mrr100()));
    named.put("nDCG@10", decimals(m.ndcg10()));
    named.put("MAP", decimals(m.map()));
    named.put("Recall@100", decimals(m.recall100()));
    return named;
  }

  private static BigDecimal decimals(double value) {
    BigDecimal rounded = new BigDecimal(value).setScale(16, RoundingMode.HALF_EVEN).stripTrailingZeros();
    return rounded.scale() < 1 ? rounded.setScale(1) : rounded; // 0.0 and 1.0 stay recognisable as fractions
  }
}
