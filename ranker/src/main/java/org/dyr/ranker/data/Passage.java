package org.dyr.ranker.data;

/** A text of the collection. */
public record Passage(String id, String text) {
}
