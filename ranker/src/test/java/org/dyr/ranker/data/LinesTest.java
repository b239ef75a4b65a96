package org.dyr.ranker.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinesTest {

  @TempDir Path directory;

  @Test void splitsAtLineFeedsOnly() throws IOException {
    String longLine = "x".repeat(200_000);
    String text = "\uFEFFone\r\n\ntw\u2028o\u0085\u00e9\n" + longLine + "\nend";
    Path file = Files.writeString(directory.resolve("a.txt"), text);
    try (Lines lines = Lines.open(file)) {
      assertEquals("one", lines.next());
      assertEquals("", lines.next());
      assertEquals("tw\u2028o\u0085\u00e9", lines.next());
      assertEquals(longLine, lines.next());
      assertEquals("end", lines.next());
      assertEquals(5, lines.number());
      assertNull(lines.next());
    }
  }

  @Test void readsGzipAndReportsACutOrDamagedOne() throws IOException {
    byte[] packed = gzip(noise());
    Path file = directory.resolve("a.txt.gz");
    Files.write(file, packed);
    assertEquals(1000, count(file));
    Files.write(file, Arrays.copyOf(packed, packed.length / 2));
    String message = assertThrows(DataException.class, () -> count(file)).getMessage();
    assertTrue(message.matches("(?s).*a\\.txt\\.gz:\\d+: .*cut short"), message);
    Files.write(file, "plain".getBytes(StandardCharsets.UTF_8));
    message = assertThrows(DataException.class, () -> count(file)).getMessage();
    assertTrue(message.contains("a.txt.gz:1") && message.contains("damaged"), message);
    Files.write(file, new byte[0]);
    assertThrows(DataException.class, () -> count(file));
  }

  @Test void badUtf8NamesTheLine() throws IOException {
    Path file = directory.resolve("a.txt");
    Files.write(file, new byte[] {'a', '\n', 'b', '\n', (byte) 0xC3, (byte) 0x28, '\n'});
    String message = assertThrows(DataException.class, () -> count(file)).getMessage();
    assertTrue(message.contains("a.txt:3") && message.contains("UTF-8"), message);
  }

  @Test void aMissingFileIsAnError() {
    String message = assertThrows(DataException.class, () -> Lines.open(directory.resolve("none.tsv"))).getMessage();
    assertTrue(message.contains("none.tsv") && message.contains("no such file"), message);
  }

  static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }

  private static String noise() {
    Random random = new Random(7);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 1000; i++) text.append(random.nextLong()).append('\n');
    return text.toString();
  }

  private static int count(Path file) {
    int count = 0;
    try (Lines lines = Lines.open(file)) {
      while (lines.next() != null) count++;
    }
    return count;
  }
}
