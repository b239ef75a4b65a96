package org.dyr.ranker.demo;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A small data set inside the jar: passages about invented towns, instruments, animals and machines, and questions
 * about them. Train and test share no question.
 */
public final class Sample {
  /** The vocabulary's file name. */
  public static final String VOCAB = "vocab.txt";

  private static final List<String> FILES = List.of("collection.tsv", "queries.train.tsv", "queries.test.tsv",
      "qrels.train.tsv", "qrels.test.tsv", "candidates.train.tsv", "candidates.test.tsv", VOCAB);

  private Sample() {}

  /** Writes the sample's files into a directory, in the layout that {@code data} takes. */
  public static void writeTo(Path directory) throws IOException {
    Files.createDirectories(directory);
    for (String file : FILES) {
      try (InputStream in = Sample.class.getResourceAsStream(file)) {
        if (in == null) throw new IOException("the jar lacks the sample's " + file);
        Files.write(directory.resolve(file), in.readAllBytes());
      }
    }
  }
}
