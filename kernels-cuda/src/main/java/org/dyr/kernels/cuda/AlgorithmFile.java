package org.dyr.kernels.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.dyr.io.AtomicFiles;

/**
 * Which right algorithm was the fastest for which product, kept from run to run: a text file for one device, driver and
 * version of cuBLASLt, whose first line names them; then a line a product, {@code PRODUCT = HEX}; last its checksum.
 * One that is damaged or of another kind is as none, and one that cannot be written is done without.
 */
final class AlgorithmFile {
  private static final String KIND = "dyr products 3: ";
  private static final String CHECKSUM = "crc32 ";
  private static final String IS = " = ";
  private static final Pattern LINE = Pattern.compile("(.+)" + IS + "((?:[0-9a-f]{16})+)");

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

  /** Adds to what the file has by now: other processes write it too. */
  void put(Product product, long[] algorithm) {
    read().forEach(known::putIfAbsent);
    known.put(product.toString(), algorithm);
    StringBuilder body = new StringBuilder(title).append('\n');
    known.forEach((of, words) -> body.append(of).append(IS).append(hex(words)).append('\n'));
    String text = body + CHECKSUM + checksum(body.toString()) + "\n";
    try {
      Files.createDirectories(file.getParent());
      AtomicFiles.write(file, text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException | UncheckedIOException e) {
      // Measured again by the next process.
    }
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
