package org.dyr.benchmarks.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.StringJoiner;

/**
 * One input of the model.
 *
 * @param firstSegment tokens before this have type 0, the others type 1
 */
public record Sequence(int[] ids, int firstSegment) {

  public int length() {
    return ids.length;
  }

  /** Sequences of one length, of random tokens. */
  static List<Sequence> random(int count, int length) {
    Random random = new Random(1);
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      sequences.add(new Sequence(random.ints(length, 0, Job.VOCABULARY).toArray(), length / 4));
    }
    return sequences;
  }

  /** The places of these sequences in an order of falling length, those of equal length as they stand. */
  public static int[] longestFirst(List<Sequence> sequences) {
    Integer[] places = new Integer[sequences.size()];
    Arrays.setAll(places, i -> i);
    Arrays.sort(places, (a, b) -> Integer.compare(sequences.get(b).length(), sequences.get(a).length()));
    return Arrays.stream(places).mapToInt(i -> i).toArray();
  }

  /** Reads a file of one sequence a line: the first segment's length, then the ids. */
  public static List<Sequence> read(Path file) throws IOException {
    List<Sequence> sequences = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      int[] numbers = Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray();
      sequences.add(new Sequence(Arrays.copyOfRange(numbers, 1, numbers.length), numbers[0]));
    }
    return sequences;
  }

  static void write(List<Sequence> sequences, Path file) throws IOException {
    List<String> lines = new ArrayList<>();
    for (Sequence s : sequences) {
      StringJoiner line = new StringJoiner(" ");
      line.add(String.valueOf(s.firstSegment));
      for (int id : s.ids) line.add(String.valueOf(id));
      lines.add(line.toString());
    }
    Files.write(file, lines);
  }
}
