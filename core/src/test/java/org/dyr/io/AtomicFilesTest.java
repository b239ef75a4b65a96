package org.dyr.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {
  @TempDir Path directory;

  private static AtomicFiles.WriterAction text(String text) {
    return file -> file.write(ByteBuffer.wrap(text.getBytes()));
  }

  private List<String> files() throws IOException {
    try (Stream<Path> list = Files.list(directory)) {
      return list.map(p -> p.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void writesAndReplaces() throws IOException {
    Path path = directory.resolve("a");
    AtomicFiles.write(path, text("one, the longer"));
    AtomicFiles.write(path, text("two"));
    assertEquals("two", Files.readString(path));
    assertEquals(List.of("a"), files());
  }

  @Test
  void theOldFileStaysUntilTheNewOneIsWhole() {
    Path path = directory.resolve("a");
    AtomicFiles.write(path, text("one"));
    AtomicFiles.write(path, file -> {
      file.write(ByteBuffer.wrap("tw".getBytes()));
      assertEquals("one", Files.readString(path));
      assertTrue(files().stream().anyMatch(name -> name.matches("\\.a\\.[0-9a-f]{16}\\.tmp")), files().toString());
      file.write(ByteBuffer.wrap("o".getBytes()));
    });
    assertEquals("two", read(path));
  }

  @Test
  void failureLeavesTheOldFileAndNothingElse() throws IOException {
    Path path = directory.resolve("a");
    AtomicFiles.write(path, text("one"));
    UncheckedIOException full = assertThrows(UncheckedIOException.class, () -> AtomicFiles.write(path, file -> {
      file.write(ByteBuffer.wrap("half".getBytes()));
      throw new IOException("No space left on device");
    }));
    assertTrue(full.getMessage().matches("Cannot write .*a: No space left on device\\. .* unchanged\\. .* room .*"),
        full.getMessage());
    IllegalStateException own = new IllegalStateException("own");
    assertSame(own, assertThrows(IllegalStateException.class, () -> AtomicFiles.write(path, file -> {
      throw own;
    })));
    assertEquals("one", Files.readString(path));
    assertEquals(List.of("a"), files());
  }

  @Test
  void aSymbolicLinkStaysAndLeadsToTheNewFile() throws IOException {
    Path real = Files.createDirectory(directory.resolve("real"));
    Path file = Files.writeString(real.resolve("a"), "one");
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("real/a"));
    Path first = Files.createSymbolicLink(directory.resolve("first"), link);
    AtomicFiles.write(first, text("two"));
    assertEquals("two", Files.readString(file));
    assertTrue(Files.isSymbolicLink(link) && Files.isSymbolicLink(first));
    Files.delete(file);
    AtomicFiles.write(link, text("three")); // the link dangles
    assertEquals("three", Files.readString(file));
    assertEquals(List.of("first", "link", "real"), files());
  }

  @Test
  void linksInACircleAreRefused() throws IOException {
    Path a = Files.createSymbolicLink(directory.resolve("a"), Path.of("b"));
    Files.createSymbolicLink(directory.resolve("b"), Path.of("a"));
    String message = assertThrows(UncheckedIOException.class, () -> AtomicFiles.write(a, text("x"))).getMessage();
    assertTrue(message.startsWith("Cannot write " + a + ": its symbolic links"), message);
    assertEquals(List.of("a", "b"), files());
  }

  @Test
  void aPipeIsWrittenThrough() throws Exception {
    Path pipe = pipe();
    FutureTask<String> reader = new FutureTask<>(() -> Files.readString(pipe));
    Thread.ofPlatform().daemon().start(reader);
    AtomicFiles.write(Files.createSymbolicLink(directory.resolve("link"), pipe), text("through"));
    assertEquals("through", reader.get(30, TimeUnit.SECONDS));
    assertFalse(Files.isRegularFile(pipe));
    assertEquals(List.of("link", "pipe"), files());
  }

  @Test
  void aPipesFailureDoesNotPromiseThatNothingChanged() throws Exception {
    Path pipe = pipe();
    FutureTask<String> reader = new FutureTask<>(() -> Files.readString(pipe));
    Thread.ofPlatform().daemon().start(reader);
    String message = assertThrows(UncheckedIOException.class, () -> AtomicFiles.write(pipe, file -> {
      file.write(ByteBuffer.wrap("half".getBytes()));
      throw new IOException("own");
    })).getMessage();
    assertEquals("half", reader.get(30, TimeUnit.SECONDS));
    assertTrue(message.startsWith("Cannot write " + pipe + ": own. It is no regular file"), message);
  }

  private Path pipe() throws InterruptedException {
    Path pipe = directory.resolve("pipe");
    try {
      int code = new ProcessBuilder("mkfifo", pipe.toString()).inheritIO().start().waitFor();
      assumeTrue(code == 0, "mkfifo makes no pipe in " + directory);
    } catch (IOException e) {
      assumeTrue(false, "no mkfifo on this machine: " + e.getMessage());
    }
    return pipe;
  }

  @Test
  void aMissingDirectoryIsNamed() {
    Path path = directory.resolve("no/a");
    String message = assertThrows(UncheckedIOException.class, () -> AtomicFiles.write(path, text("x"))).getMessage();
    assertTrue(message.startsWith("Cannot write " + path) && message.contains("directory must exist"), message);
    assertThrows(IllegalArgumentException.class, () -> AtomicFiles.write(Path.of("/"), text("x")));
  }

  @Test
  void publishesADirectory() throws IOException {
    Path prepared = Files.createDirectory(directory.resolve(".step-10.tmp"));
    Files.createDirectories(prepared.resolve("sub/empty"));
    Files.writeString(prepared.resolve("sub/a"), "one");
    Path target = directory.resolve("step-10");
    AtomicFiles.publishDirectory(prepared, target);
    assertEquals("one", Files.readString(target.resolve("sub/a")));
    assertTrue(Files.isDirectory(target.resolve("sub/empty")));
    assertEquals(List.of("step-10"), files());
  }

  @Test
  void publishingRefusesAnExistingName() throws IOException {
    Path prepared = Files.createDirectory(directory.resolve("prepared"));
    Files.writeString(prepared.resolve("a"), "new");
    Path target = Files.createDirectory(directory.resolve("target")); // empty: a bare rename would replace it
    String message = assertThrows(UncheckedIOException.class,
        () -> AtomicFiles.publishDirectory(prepared, target)).getMessage();
    assertTrue(message.startsWith("Cannot publish " + prepared) && message.contains("must not exist"), message);
    assertEquals("new", read(prepared.resolve("a")));
    assertFalse(Files.exists(target.resolve("a")));
  }

  @Test
  void publishingRefusesAnotherDirectoryAndAMissingOne() throws IOException {
    Path prepared = Files.createDirectories(directory.resolve("sub/prepared"));
    assertThrows(IllegalArgumentException.class,
        () -> AtomicFiles.publishDirectory(prepared, directory.resolve("target")));
    assertThrows(UncheckedIOException.class,
        () -> AtomicFiles.publishDirectory(directory.resolve("no"), directory.resolve("target")));
    assertEquals(List.of("sub"), files());
  }

  private static String read(Path path) {
    try {
      return Files.readString(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
