package org.dyr.ranker.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tokenizers' library in the user's cache: unpacked once, and again when the copy is not the jar's. */
class NativeTokenizersTest {
  private static final String PLATFORM =
      NativeTokenizers.platform(System.getProperty("os.name"), System.getProperty("os.arch"));
  private static final String NAME = System.mapLibraryName("tokenizers");

  @TempDir Path cache;

  @Test void isUnpackedOnce() throws IOException {
    Path file = NativeTokenizers.kept(cache, PLATFORM, NAME);
    FileTime then = FileTime.fromMillis(1_000_000_000_000L);
    Files.setLastModifiedTime(file, then);
    assertEquals(file, NativeTokenizers.kept(cache, PLATFORM, NAME));
    assertEquals(then, Files.getLastModifiedTime(file));
    try (Stream<Path> files = Files.list(file.getParent())) {
      assertEquals(List.of(file), files.toList());
    }
  }

  @Test void aCopyThatIsNotTheJarsIsReplaced() throws IOException {
    Path file = NativeTokenizers.kept(cache, PLATFORM, NAME);
    byte[] whole = Files.readAllBytes(file), other = whole.clone();
    other[whole.length / 2]++;
    Files.write(file, other);
    NativeTokenizers.kept(cache, PLATFORM, NAME);
    assertEquals(-1, Files.mismatch(file, Files.write(cache.resolve("whole"), whole)));
    Files.write(file, new byte[0]);
    NativeTokenizers.kept(cache, PLATFORM, NAME);
    assertEquals(whole.length, Files.size(file));
  }

  @Test void aCacheThatCannotBeWrittenIsAFailureForTheCallerToPassOver() throws IOException {
    Path file = Files.writeString(cache.resolve("file"), "");
    Exception e = assertThrows(Exception.class, () -> NativeTokenizers.kept(file, PLATFORM, NAME));
    assertTrue(e instanceof IOException || e instanceof UncheckedIOException, e.toString());
  }
}
