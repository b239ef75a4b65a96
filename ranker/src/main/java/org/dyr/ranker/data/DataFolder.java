package org.dyr.ranker.data;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** A folder of data files in MS MARCO style, found by name, plain or {@code .gz}; {@link RankingData} lists them. */
public record DataFolder(Path directory) {

  /**
   * The file of that name, or that name with {@code .gz}.
   *
   * @throws DataException when neither is there
   */
  public Path require(String name) {
    return find(name).orElseThrow(() -> new DataException(directory, "no " + name + " and no " + name + ".gz there"));
  }

  /** The file of that name, or that name with {@code .gz}. */
  public Optional<Path> find(String name) {
    return Optional.ofNullable(Lines.find(directory, name));
  }

  /** The passages of the collection, read as they are asked for; the caller closes them. */
  public Passages passages() {
    return Passages.open(require("collection.tsv"));
  }

  /**
   * The queries of a split: qid to text, in file order.
   *
   * @throws DataException when there is no file or no query, or at the first line with other than two columns or
   *     with an id that is empty, has a blank or is repeated
   */
  public Map<String, String> queries(String split) {
    Path file = require("queries." + split + ".tsv");
    Map<String, String> queries = new LinkedHashMap<>();
    try (Lines lines = Lines.open(file)) {
      for (String[] row; (row = lines.next(2, "qid<TAB>text")) != null;) {
        lines.requireId(row[0], "query id");
        if (queries.putIfAbsent(row[0], row[1]) != null) {
          throw lines.wrong("query id \"" + row[0] + "\" is there twice");
        }
      }
    }
    if (queries.isEmpty()) throw new DataException(file, "has no queries");
    return queries;
  }
}
