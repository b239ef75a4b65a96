package org.dyr.ranker.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One split of a directory in MS MARCO style, every file plain or {@code .gz}, UTF-8, columns separated by tabs:
 *
 * <pre>
 * collection.tsv            pid, text
 * queries.SPLIT.tsv         qid, text
 * qrels.SPLIT.tsv           qid, 0, pid, grade
 * candidates.SPLIT.tsv      qid, pid            the pool; where there is none:
 * bm25.SPLIT.tsv            qid, pid, rank; a score may follow, which is checked and not kept
 * </pre>
 *
 * <p>Of the collection only the passages that the pool or the judgements name are kept. Ids are strings.
 */
public final class RankingData {

  /** Whether a split must have judgements. Ranking and scoring do without. */
  public enum Qrels { REQUIRED, IF_PRESENT }

  private final List<Query> queries;
  private final Map<String, Slot> slots;
  private final Path poolFile;
  private final boolean judged;

  private RankingData(List<Query> queries, Map<String, Slot> slots, Path poolFile, boolean judged) {
    this.queries = queries;
    this.slots = slots;
    this.poolFile = poolFile;
    this.judged = judged;
  }

  /** Loads a split with its judgements. */
  public static RankingData load(Path directory, String split) {
    return load(directory, split, Qrels.REQUIRED);
  }

  /**
   * Loads a split.
   *
   * @throws DataException when a file is missing or unreadable, or at the first line with a wrong number of columns, an
   *     id that is empty, has a blank, is unknown or is repeated, or a grade or rank that is no number
   */
  public static RankingData load(Path directory, String split, Qrels qrels) {
    return new Loader(directory, split).load(qrels);
  }

  /** The queries in file order. */
  public List<Query> queries() {
    return queries;
  }

  /** A passage that the pool or the judgements of this split name, or null. */
  public Passage passage(String pid) {
    Slot slot = slots.get(pid);
    return slot == null ? null : slot.passage;
  }

  /** The number of passages that the pool and the judgements name. */
  public int passages() {
    return slots.size();
  }

  /** The file that gave the pool. */
  public Path poolFile() {
    return poolFile;
  }

  /** Whether the split has a qrels file. */
  public boolean judged() {
    return judged;
  }

  /** A passage that some file names; the place of the first mention is for the message should it not exist. */
  private static final class Slot {
    private final String pid;
    private final Path file;
    private final long line;
    private Passage passage;

    Slot(String pid, Path file, long line) {
      this.pid = pid;
      this.file = file;
      this.line = line;
    }
  }

  private record Ranked(Slot slot, int rank) {
  }

  /** A query while its files are read. */
  private static final class Draft {
    private final String text;
    private final Map<String, Integer> judgements = new LinkedHashMap<>();
    private final Map<Slot, Ranked> pool = new LinkedHashMap<>();

    Draft(String text) {
      this.text = text;
    }
  }

  /** Reads queries, judgements and pool first, so that the collection can be filtered while it streams by. */
  private static final class Loader {
    private final DataFolder folder;
    private final String split;
    private final Map<String, Draft> drafts = new LinkedHashMap<>();
    private final Map<String, Slot> slots = new HashMap<>();

    Loader(Path directory, String split) {
      this.folder = new DataFolder(directory);
      this.split = split;
    }

    RankingData load(Qrels qrels) {
      folder.require("collection.tsv"); // it is read last, and its absence should not wait for that
      folder.queries(split).forEach((qid, text) -> drafts.put(qid, new Draft(text)));
      String qrelsName = "qrels." + split + ".tsv";
      Path qrelsFile = qrels == Qrels.REQUIRED ? folder.require(qrelsName) : folder.find(qrelsName).orElse(null);
      if (qrelsFile != null) readQrels(qrelsFile);
      Path poolFile = readPool();
      readCollection();
      List<Query> queries = new ArrayList<>(drafts.size());
      drafts.forEach((qid, draft) -> queries.add(new Query(qid, draft.text,
          Collections.unmodifiableMap(draft.judgements),
          draft.pool.values().stream().sorted(Comparator.comparingInt(Ranked::rank))
              .map(ranked -> ranked.slot.passage).toList())));
      return new RankingData(Collections.unmodifiableList(queries), slots, poolFile, qrelsFile != null);
    }

    private void readQrels(Path file) {
      try (Lines lines = Lines.open(file)) {
        for (String[] row; (row = lines.next(4, "qid<TAB>0<TAB>pid<TAB>grade")) != null;) {
          Draft draft = draft(row[0], lines);
          Slot slot = slot(row[2], lines);
          if (draft.judgements.put(slot.pid, integer(row[3], "grade", lines)) != null) {
            throw lines.wrong("passage \"" + row[2] + "\" is judged twice for query \"" + row[0] + "\"");
          }
        }
      }
    }

    private Path readPool() {
      String candidates = "candidates." + split + ".tsv";
      String bm25 = "bm25." + split + ".tsv";
      Path file = folder.find(candidates).orElse(null);
      boolean ranked = file == null;
      if (ranked) file = folder.find(bm25).orElse(null);
      if (file == null) {
        throw new DataException(folder.directory(), "no pool for split \"" + split + "\": neither " + candidates
            + " nor " + bm25 + " is there, plain or .gz");
      }
      int least = ranked ? 3 : 2, most = ranked ? 4 : 2;
      String layout = ranked ? "qid<TAB>pid<TAB>rank, and perhaps <TAB>score" : "qid<TAB>pid";
      try (Lines lines = Lines.open(file)) {
        for (String[] row; (row = lines.next(least, most, layout)) != null;) {
          Draft draft = draft(row[0], lines);
          Slot slot = slot(row[1], lines);
          int rank = ranked ? integer(row[2], "rank", lines) : 0;
          if (row.length == 4) requireNumber(row[3], "score", lines);
          if (draft.pool.put(slot, new Ranked(slot, rank)) != null) {
            throw lines.wrong("passage \"" + row[1] + "\" is twice in the pool of query \"" + row[0] + "\"");
          }
        }
      }
      return file;
    }

    private void readCollection() {
      Path file;
      try (Passages passages = folder.passages()) {
        file = passages.file();
        for (Passage read; (read = passages.next()) != null;) {
          Slot slot = slots.get(read.id());
          if (slot == null) continue;
          if (slot.passage != null) throw passages.wrong("passage id \"" + read.id() + "\" is there twice");
          slot.passage = new Passage(slot.pid, read.text());
        }
      }
      slots.values().stream().filter(slot -> slot.passage == null)
          .min(Comparator.comparing((Slot slot) -> slot.file).thenComparingLong(slot -> slot.line))
          .ifPresent(slot -> {
            throw new DataException(slot.file, slot.line, "passage id \"" + slot.pid + "\" is not in " + file);
          });
    }

    private Draft draft(String qid, Lines lines) {
      lines.requireId(qid, "query id");
      Draft draft = drafts.get(qid);
      if (draft == null) throw lines.wrong("query id \"" + qid + "\" is not in the queries of split \"" + split + "\"");
      return draft;
    }

    private Slot slot(String pid, Lines lines) {
      lines.requireId(pid, "passage id");
      return slots.computeIfAbsent(pid, id -> new Slot(id, lines.file(), lines.number()));
    }

    private static int integer(String text, String what, Lines lines) {
      try {
        return Integer.parseInt(text);
      } catch (NumberFormatException e) {
        throw new DataException(lines.file(), lines.number(), what + " \"" + text + "\" is not an integer", e);
      }
    }

    private static void requireNumber(String text, String what, Lines lines) {
      try {
        if (Double.isFinite(Double.parseDouble(text))) return;
      } catch (NumberFormatException e) {
        throw new DataException(lines.file(), lines.number(), what + " \"" + text + "\" is not a number", e);
      }
      throw lines.wrong(what + " \"" + text + "\" is not a finite number");
    }
  }
}
