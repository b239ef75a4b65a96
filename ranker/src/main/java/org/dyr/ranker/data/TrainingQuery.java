package org.dyr.ranker.data;

import java.util.List;

/**
 * A query to train on. The texts are those of the source, shared between queries.
 *
 * @param id the query's id, or for JSON lines the line number
 * @param positives relevant passages, at least one, each text once
 * @param negatives passages to tell apart from them, at least one, each text once and none of a positive
 */
public record TrainingQuery(String id, String query, List<String> positives, List<String> negatives) {
}
