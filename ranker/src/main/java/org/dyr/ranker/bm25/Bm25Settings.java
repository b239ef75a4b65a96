package org.dyr.ranker.bm25;

import java.util.Locale;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.standard.StandardAnalyzer;

/**
 * The parameters of BM25.
 *
 * @param k1 how soon further occurrences of a word stop counting; finite, at least 0
 * @param b how much a long passage is marked down; 0 to 1
 */
public record Bm25Settings(float k1, float b, Analysis analysis) {
  /** The values that are usual for MS MARCO. */
  public static final float K1 = 0.9f;
  public static final float B = 0.4f;

  /** How a text becomes words. */
  public enum Analysis {
    /** Lower case, without possessive endings and Lucene's 33 stop words, stemmed by Porter's rules. */
    ENGLISH,
    /** Lower case, every word as it is: for any language with blanks between words. */
    STANDARD;

    Analyzer analyzer() {
      return this == ENGLISH ? new EnglishAnalyzer() : new StandardAnalyzer();
    }

    @Override public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public Bm25Settings {
    if (!(k1 >= 0 && k1 < Float.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("k1 must be a number of at least 0, not " + k1);
    }
    if (!(b >= 0 && b <= 1)) throw new IllegalArgumentException("b must be from 0 to 1, not " + b);
  }

  /** The usual parameters. */
  public static Bm25Settings of(Analysis analysis) {
    return new Bm25Settings(K1, B, analysis);
  }
}
