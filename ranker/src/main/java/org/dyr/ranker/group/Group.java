package org.dyr.ranker.group;

import java.util.ArrayList;
import java.util.List;
import org.dyr.ranker.data.TrainingQuery;

/**
 * One positive and its negatives.
 *
 * @param positive index into the query's positives
 * @param negatives indices into the query's negatives
 */
public record Group(TrainingQuery query, int positive, int[] negatives) {

  /** The texts of the group, the positive first. */
  public List<String> passages() {
    List<String> passages = new ArrayList<>(negatives.length + 1);
    passages.add(query.positives().get(positive));
    for (int negative : negatives) passages.add(query.negatives().get(negative));
    return passages;
  }
}
