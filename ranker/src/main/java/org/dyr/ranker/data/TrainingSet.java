package org.dyr.ranker.data;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * What the trainer learns from, whatever file it came from.
 *
 * @param queries those with at least one positive and one negative, in file order
 * @param leftOut how many queries were not taken, and why
 * @param repeated how many passages were dropped since their query had the text already: a text is once among the
 *     positives or once among the negatives, and a positive is no negative
 */
public record TrainingSet(List<TrainingQuery> queries, LeftOut leftOut, int repeated) {

  /** Queries that were not taken; one without either counts as without positive. */
  public record LeftOut(int withoutPositive, int withoutNegative) {

    public int total() {
      return withoutPositive + withoutNegative;
    }
  }

  /** With grades of 1 and more as relevant. */
  public static TrainingSet from(RankingData data) {
    return from(data, 1);
  }

  /**
   * Positives are the passages judged with at least {@code relevantFrom}, in the pool or not; negatives are the
   * passages of the pool that are not judged or judged from 0 to below {@code relevantFrom}. A passage judged below 0
   * is neither.
   *
   * @param relevantFrom the lowest grade that counts as relevant, at least 1
   */
  public static TrainingSet from(RankingData data, int relevantFrom) {
    if (relevantFrom < 1) throw new IllegalArgumentException("relevantFrom must be at least 1, not " + relevantFrom);
    Collector collector = new Collector();
    for (Query query : data.queries()) {
      List<String> positives = query.judgements().entrySet().stream()
          .filter(judgement -> judgement.getValue() >= relevantFrom)
          .map(judgement -> Objects.requireNonNull(data.passage(judgement.getKey())).text()).toList();
      List<String> negatives = query.pool().stream()
          .filter(passage -> {
            int grade = query.judgements().getOrDefault(passage.id(), 0);
            return grade >= 0 && grade < relevantFrom;
          })
          .map(Passage::text).toList();
      collector.add(new TrainingQuery(query.id(), query.text(), positives, negatives));
    }
    return collector.finish();
  }

  /** The number of (query, positive) pairs: the groups of an epoch. */
  public int pairs() {
    return queries.stream().mapToInt(query -> query.positives().size()).sum();
  }

  /** Takes the queries that can be trained on, each text of theirs once, and counts the others. */
  static final class Collector {
    private final List<TrainingQuery> queries = new ArrayList<>();
    private int withoutPositive;
    private int withoutNegative;
    private int repeated;

    void add(TrainingQuery query) {
      Set<String> positives = new LinkedHashSet<>(query.positives());
      Set<String> negatives = new LinkedHashSet<>(query.negatives());
      negatives.removeAll(positives);
      repeated += query.positives().size() - positives.size() + query.negatives().size() - negatives.size();
      if (positives.isEmpty()) {
        withoutPositive++;
      } else if (negatives.isEmpty()) {
        withoutNegative++;
      } else {
        queries.add(new TrainingQuery(query.id(), query.query(), List.copyOf(positives), List.copyOf(negatives)));
      }
    }

    TrainingSet finish() {
      return new TrainingSet(List.copyOf(queries), new LeftOut(withoutPositive, withoutNegative), repeated);
    }
  }
}
