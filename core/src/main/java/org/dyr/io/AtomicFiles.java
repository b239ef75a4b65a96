package org.dyr.io;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Files and directories that appear whole or not at all, whatever stops the process or the machine: written under a
 * temporary name in the same directory, forced to the disk, renamed, and the rename forced to the disk. A killed
 * process may leave {@code .NAME.<16 hexadecimal digits>.tmp} behind, which is safe to delete.
 */
public final class AtomicFiles {
  // Windows does not open directories as files and needs no such step.
  private static final boolean DIRECTORIES_SYNC = File.separatorChar == '/';

  private static final int MAX_LINKS = 40; // Linux's own limit

  private AtomicFiles() {}

  /** Writes the content of a new file. */
  @FunctionalInterface
  public interface WriterAction {
    /** Writes to an empty file from its start; does not close it. */
    void writeTo(FileChannel file) throws IOException;
  }

  /**
   * Writes a file, replacing the one of that name. Of a symbolic link it is the file that the link leads to, there or
   * not; the link stays. A pipe or a device, which nothing can replace, is written straight through: it takes what
   * {@code action} writes as it comes, and keeps it when {@code action} fails.
   *
   * @throws UncheckedIOException if the disk fails, links lead in a circle or {@code action} throws an IOException. As
   *     with whatever else {@code action} throws, the temporary file is removed and a regular file is as it was.
   */
  public static void write(Path target, WriterAction action) {
    if (Files.exists(target) && !Files.isRegularFile(target) && !Files.isDirectory(target)) {
      writeThrough(target, action);
      return;
    }
    Path to = behindLinks(target);
    Path temporary = temporary(to);
    try {
      try (FileChannel file = FileChannel.open(temporary, CREATE_NEW, WRITE)) {
        action.writeTo(file);
        file.force(true);
      }
      Files.move(temporary, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      discard(temporary, e);
      throw new UncheckedIOException(("Cannot write %s: %s. What was there before is unchanged. Its directory must "
          + "exist, be writable and have room for a second copy").formatted(target, reason(e)), e);
    } catch (RuntimeException | Error e) {
      discard(temporary, e);
      throw e;
    }
    syncParent(to);
  }

  /** As {@link #write(Path, WriterAction)}, of bytes that are there already. */
  public static void write(Path target, byte[] content) {
    write(target, file -> {
      ByteBuffer left = ByteBuffer.wrap(content);
      while (left.hasRemaining()) file.write(left);
    });
  }

  private static void writeThrough(Path target, WriterAction action) {
    try (FileChannel channel = FileChannel.open(target, WRITE)) {
      action.writeTo(channel);
    } catch (IOException e) {
      throw new UncheckedIOException(("Cannot write %s: %s. It is no regular file, so what came before that has gone "
          + "through; name a regular file to have the whole or nothing").formatted(target, reason(e)), e);
    }
  }

  /** The name of the file itself, which need not be there. The system's own resolving asks for one that is. */
  private static Path behindLinks(Path target) {
    Path file = target.toAbsolutePath();
    try {
      for (int links = 0; Files.isSymbolicLink(file); links++) {
        if (links == MAX_LINKS) throw new FileSystemException(target.toString(), null, "too many in a row");
        file = file.resolveSibling(Files.readSymbolicLink(file));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot write %s: its symbolic links cannot be followed to a file (%s); name the "
          .formatted(target, reason(e)) + "file itself", e);
    }
    return file;
  }

  /**
   * Gives a directory that has been filled under another name its final one, after forcing all that is in it to the
   * disk. A reader finds the whole of {@code target} or nothing.
   *
   * @param prepared a directory beside {@code target}, complete, with all its files closed
   * @param target   a name that must not exist yet
   * @throws IllegalArgumentException if the two are not in the same directory
   * @throws UncheckedIOException     if {@code target} exists or the disk fails; {@code prepared} is then still there
   */
  public static void publishDirectory(Path prepared, Path target) {
    Path from = prepared.toAbsolutePath().normalize();
    Path to = target.toAbsolutePath().normalize();
    if (from.getParent() == null || !from.getParent().equals(to.getParent())) {
      throw new IllegalArgumentException("%s and %s must be in the same directory".formatted(prepared, target));
    }
    try {
      if (Files.exists(to, LinkOption.NOFOLLOW_LINKS)) throw new FileAlreadyExistsException(to.toString());
      syncTree(from);
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(("Cannot publish %s as %s: %s. The former is left as it is; the latter must not "
          + "exist yet, and the disk needs room").formatted(prepared, target, reason(e)), e);
    }
    syncParent(to);
  }

  private static Path temporary(Path target) {
    if (target.getFileName() == null) throw new IllegalArgumentException(target + " is not the name of a file");
    long id = ThreadLocalRandom.current().nextLong();
    return target.resolveSibling(".%s.%016x.tmp".formatted(target.getFileName(), id));
  }

  private static void discard(Path temporary, Throwable cause) {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  private static void syncTree(Path root) throws IOException {
    Files.walkFileTree(root, new SimpleFileVisitor<>() {
      @Override public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
        if (attributes.isRegularFile()) sync(file, WRITE);
        return FileVisitResult.CONTINUE;
      }

      @Override public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
        if (e != null) throw e;
        if (DIRECTORIES_SYNC) sync(directory, READ);
        return FileVisitResult.CONTINUE;
      }
    });
  }

  /** Removes a file, or a directory with all that is in it; what is not there is no error. Not atomic. */
  public static void removeTree(Path path) throws IOException {
    if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) return;
    Files.walkFileTree(path, new SimpleFileVisitor<>() {
      @Override public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
        Files.delete(file);
        return FileVisitResult.CONTINUE;
      }

      @Override public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
        if (e != null) throw e;
        Files.delete(directory);
        return FileVisitResult.CONTINUE;
      }
    });
  }

  private static void syncParent(Path renamed) {
    if (!DIRECTORIES_SYNC) return;
    try {
      sync(renamed.getParent(), READ);
    } catch (IOException e) {
      throw new UncheckedIOException("%s is written and in place, but its directory could not be forced to the disk: %s"
          .formatted(renamed, reason(e)), e);
    }
  }

  private static void sync(Path path, StandardOpenOption how) throws IOException {
    try (FileChannel channel = FileChannel.open(path, how)) {
      channel.force(true);
    }
  }

  /** What the system says, without the paths that the message has already; with the class only where that says more. */
  private static String reason(IOException e) {
    String said = e instanceof FileSystemException f ? f.getReason() : e.getMessage();
    return said != null ? said : e.toString();
  }
}
