package org.dyr.ranker.data;

import java.util.List;
import java.util.Map;

/**
 * A query with what is known about it.
 *
 * @param judgements grade by passage id, in file order; above zero is relevant to some degree, below zero means judged
 *     and of no interest; a passage that nobody judged is absent
 * @param pool the passages to rank: in file order, or by rank where the file has ranks; may be empty
 */
public record Query(String id, String text, Map<String, Integer> judgements, List<Passage> pool) {
}
