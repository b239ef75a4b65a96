package org.dyr.ranker.bundle;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.dyr.io.AtomicFiles;

/**
 * A folder as .tar.xz, by the system's tar and xz: they know owners and executable files, use all cores, and unpack it
 * on the other side; a library for both is five jars, for one command.
 */
public final class Archive {
  /** The filter for x86 code first: most of a bundle is that. */
  private static final List<String> XZ = List.of("--threads=0", "--block-size=256MiB", "--x86", "--lzma2=preset=6,dict=64MiB");

  private Archive() {}

  static void requireTools() throws IOException {
    program("tar");
    program("xz");
  }

  private static String program(String name) throws IOException {
    String path = Optional.ofNullable(System.getenv("PATH")).orElse("/usr/bin:/bin");
    return Stream.of(path.split(File.pathSeparator)).map(p -> Path.of(p, name)).filter(Files::isExecutable).findFirst()
        .orElseThrow(() -> new IOException("%s is not on the PATH: the archive is made by tar and xz".formatted(name)))
        .toString();
  }

  /** The archive appears whole or not at all. */
  public static void write(Path folder, Path archive) throws IOException {
    ProcessBuilder tar = new ProcessBuilder(program("tar"), "--create", "--owner=0", "--group=0", "--sort=name",
        "--directory=" + folder.toAbsolutePath().getParent(), folder.getFileName().toString());
    ProcessBuilder xz = new ProcessBuilder(Stream.concat(Stream.of(program("xz"), "--stdout"), XZ.stream()).toList());
    Path said = Files.createTempFile("dyr-bundle", ".txt");
    try {
      tar.redirectError(Redirect.appendTo(said.toFile()));
      xz.redirectError(Redirect.appendTo(said.toFile()));
      AtomicFiles.write(archive, file -> {
        List<Process> line = ProcessBuilder.startPipeline(List.of(tar, xz));
        try (InputStream packed = line.getLast().getInputStream()) {
          packed.transferTo(Channels.newOutputStream(file));
          for (Process p : line) {
            if (p.waitFor() != 0) throw new IOException("tar or xz failed: " + Files.readString(said).strip());
          }
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new IOException("interrupted", e);
        } finally {
          line.forEach(Process::destroy);
        }
      });
    } finally {
      Files.delete(said);
    }
  }
}
