package org.dyr.ranker;

/**
 * A passage with its score.
 *
 * @param index its place among the passages that were given
 * @param score the model's logit: higher is more relevant
 */
public record Ranked(int index, float score, String passage) {}
