package org.dyr.ranker.bundle;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A copy of a jar, or a jar of a folder, for 64-bit Linux on x86: without other platforms' libraries and what nothing
 * here loads, and not compressed, which is left to the archive.
 */
final class SlimJar {
  private static final Pattern LIBRARY = Pattern.compile(".*\\.(so(\\.\\d+)*|dll|dylib|jnilib)");

  /** As JavaCPP and the tokenizers name the platform, and as SQLite and JLine do. */
  private static final Pattern OF_THE_PLATFORM = Pattern.compile(".*/(linux-x86_64|Linux/x86_64)/.*");

  /** Bindings to the rest of CUDA's libraries, those to OpenBLAS that have LAPACK (two of three), and C headers. */
  private static final Pattern UNUSED = Pattern.compile("org/bytedeco/("
      + "cuda/.*/libjni(?!(cudart|cublas|cudnn|nccl|nvrtc)\\.so).*|"
      + "openblas/.*/libjniopenblas(_full)?\\.so|.*/include/.*)");

  private SlimJar() {}

  /** Whether the entry of this name stays. */
  static boolean keeps(String name) {
    return !UNUSED.matcher(name).matches()
        && (!LIBRARY.matcher(name).matches() || OF_THE_PLATFORM.matcher(name).matches());
  }

  /** The entries keep their times, by which JavaCPP knows the libraries that it has unpacked before. */
  static void copy(Path source, Path jar) throws IOException {
    if (Files.isDirectory(source)) {
      write(source, jar);
      return;
    }
    try (FileSystem zip = FileSystems.newFileSystem(source)) {
      write(zip.getPath("/"), jar);
    }
  }

  private static void write(Path root, Path jar) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(root)) {
      files = all.filter(Files::isRegularFile).filter(f -> keeps(root.relativize(f).toString())).sorted().toList();
    }
    try (OutputStream file = Files.newOutputStream(jar);
        ZipOutputStream out = new ZipOutputStream(new BufferedOutputStream(file))) {
      out.setLevel(Deflater.NO_COMPRESSION);
      for (Path f : files) {
        ZipEntry entry = new ZipEntry(root.relativize(f).toString());
        entry.setTime(Files.getLastModifiedTime(f).toMillis());
        out.putNextEntry(entry);
        Files.copy(f, out);
        out.closeEntry();
      }
    }
  }
}
