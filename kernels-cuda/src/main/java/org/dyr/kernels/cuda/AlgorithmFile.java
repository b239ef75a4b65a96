package org.dyr.kernels.cuda;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.dyr.io.AtomicFiles;

/**
 * Which right algorithm was the fastest for which product, kept from run to run: a text file for one device, driver and
 * version of cuBLASLt, whose first line names them; then a line a product, {@code PRODUCT = HEX}; last its checksum.
 * One that is damaged or of another kind is as none, and one that cannot be written is done without. Who reads it finds
 * a whole one; who writes it has the lock of the file beside it, which stays.
 */
final class AlgorithmFile {
  private static final String KIND = "dyr products 3: ";
  private static final String CHECKSUM = "crc32 ";
  private static final String IS = " = ";
  private static final String LOCK = ".lock";
  private static final Pattern LINE = Pattern.compile("(.+)" + IS + "((?:[0-9a-f]{16})+)");

  /** What a thread of this process holds beside the lock, which keeps out other processes alone. */
  private static final Object WRITING = new Object();

  private final Path file;
  private final String title;
  private final Map<String, long[]> known;

  /** @param of device, driver and version */
  AlgorithmFile(Path folder, String of) {
    title = KIND + of;
    file = folder.resolve(of.replaceAll("[^A-Za-z0-9._]+", "-") + ".txt");
    known = read();
  }

  Optional<long[]> find(Product product) {
    return Optional.ofNullable(known.get(product.toString()));
  }

  /**
   * Adds an algorithm to what the file has by now, unless another process has put one for the product meanwhile: two that
   * measure at the same time may find different ones the fastest, whose sums differ in the last bits.
   *
   * @param isUsable whether an algorithm of the file is worth keeping
   * @return the one that the file has from now on, which is the one to go on with
   */
  long[] put(Product product, long[] algorithm, Predicate<long[]> isUsable) {
    synchronized (WRITING) {
      try {
        Files.createDirectories(file.getParent());
        try (FileChannel lock = FileChannel.open(file.resolveSibling(file.getFileName() + LOCK), CREATE, WRITE)) {
          lock.lock(); // until it is closed
          known.putAll(read());
          long[] kept = known.get(product.toString());
          if (kept != null && isUsable.test(kept)) return kept;
          known.put(product.toString(), algorithm);
          write();
        }
      } catch (IOException | UncheckedIOException e) {
        // Measured again by the next process.
      }
      return algorithm;
    }
  }

  private void write() {
    StringBuilder body = new StringBuilder(title).append('\n');
    known.forEach((of, words) -> body.append(of).append(IS).append(hex(words)).append('\n'));
    String text = body + CHECKSUM + checksum(body.toString()) + "\n";
    AtomicFiles.write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  private Map<String, long[]> read() {
    Map<String, long[]> found = new TreeMap<>();
    try {
      List<String> lines = Files.readAllLines(file);
      int last = lines.size() - 1;
      if (last < 1 || !lines.getFirst().equals(title)) return found;
      String body = String.join("\n", lines.subList(0, last)) + "\n";
      if (!lines.getLast().equals(CHECKSUM + checksum(body))) return found;
      for (String line : lines.subList(1, last)) {
        Matcher m = LINE.matcher(line);
        if (m.matches()) found.put(m.group(1), words(m.group(2)));
      }
      return found;
    } catch (IOException e) {
      return found;
    }
  }

  private static String checksum(String text) {
    CRC32 crc = new CRC32();
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    return "%08x".formatted(crc.getValue());
  }

  private static String hex(long[] words) {
    StringBuilder hex = new StringBuilder();
    for (long w : words) hex.append("%016x".formatted(w));
    return hex.toString();
  }

  private static long[] words(String hex) {
    long[] words = new long[hex.length() / 16];
    for (int i = 0; i < words.length; i++) words[i] = Long.parseUnsignedLong(hex, 16 * i, 16 * i + 16, 16);
    return words;
  }
}
