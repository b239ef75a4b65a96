package org.dyr.ranker.eval;

import java.util.List;
import java.util.Map;

/**
 * The five measures, of one query or averaged over queries. "Relevant" means a grade of at least the threshold; the
 * list counts from rank 1; a passage that is not judged is not relevant.
 *
 * @param mrr10 1 / rank of the first relevant passage among the first 10, else 0
 * @param mrr100 the same among the first 100
 * @param ndcg10 DCG of the first 10 over that of the best order of all judged passages of the query, DCG = sum of gain
 *     / log2(rank + 1); the gain is the grade itself (linear, as trec_eval's ndcg_cut), 0 for a negative grade; the
 *     threshold plays no part; 0 when no grade is positive
 * @param map average precision: the sum of the precisions at the ranks of relevant passages (of the whole list), over
 *     the number of relevant passages of the query; 0 when there is none
 * @param recall100 share of the query's relevant passages among the first 100; 0 when there is none
 */
public record Measures(double mrr10, double mrr100, double ndcg10, double map, double recall100) {
  static final Measures ZERO = new Measures(0, 0, 0, 0, 0);

  /** The measures of one ranked list. */
  static Measures of(Map<String, Integer> grades, List<String> pids, int relevantFrom) {
    long relevant = grades.values().stream().filter(g -> g >= relevantFrom).count();
    int first = 0; // rank of the first relevant passage
    int found = 0;
    int found100 = 0;
    double precisions = 0;
    double dcg = 0;
    for (int rank = 1; rank <= pids.size(); rank++) {
      Integer grade = grades.get(pids.get(rank - 1));
      if (grade == null) continue;
      if (rank <= 10) dcg += discounted(grade, rank);
      if (grade < relevantFrom) continue;
      found++;
      if (first == 0) first = rank;
      if (rank <= 100) found100++;
      precisions += (double) found / rank;
    }
    double ideal = idealDcg10(grades);
    return new Measures(
        first > 0 && first <= 10 ? 1.0 / first : 0,
        first > 0 && first <= 100 ? 1.0 / first : 0,
        ideal == 0 ? 0 : dcg / ideal,
        relevant == 0 ? 0 : precisions / relevant,
        relevant == 0 ? 0 : (double) found100 / relevant);
  }

  private static double idealDcg10(Map<String, Integer> grades) {
    int[] rising = grades.values().stream().mapToInt(Integer::intValue).sorted().toArray();
    double dcg = 0;
    for (int rank = 1; rank <= Math.min(10, rising.length); rank++) {
      dcg += discounted(rising[rising.length - rank], rank);
    }
    return dcg;
  }

  private static double discounted(int grade, int rank) {
    return Math.max(0, grade) * Math.log(2) / Math.log(rank + 1);
  }

  Measures plus(Measures o) {
    return new Measures(mrr10 + o.mrr10, mrr100 + o.mrr100, ndcg10 + o.ndcg10, map + o.map, recall100 + o.recall100);
  }

  Measures dividedBy(int count) {
    return new Measures(mrr10 / count, mrr100 / count, ndcg10 / count, map / count, recall100 / count);
  }
}
