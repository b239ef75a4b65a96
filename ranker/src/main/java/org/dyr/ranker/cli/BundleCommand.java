package org.dyr.ranker.cli;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.dyr.io.AtomicFiles;
import org.dyr.ranker.bundle.Archive;
import org.dyr.ranker.bundle.Bundle;
import org.dyr.ranker.data.DataException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code dyr bundle}: this program as one archive, for a machine without Java. */
@Command(name = "bundle", sortOptions = false,
    description = "Packs this program with a Java runtime into one archive, for 64-bit Linux machines without Java.")
final class BundleCommand implements Callable<Integer> {
  /** What is unpacked beside the archive while it is made takes most of it. */
  private static final long SPACE = 300_000_000;

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where " + Bundle.NAME + ".tar.xz goes.")
  private Path out;

  @Option(names = "--with-tests", arity = "0..1", fallbackValue = ".", paramLabel = "CHECKOUT",
      description = "Take along the tests of devices and the scripts of benchmarks/gpu, from this checkout, which has"
          + " been built (the working directory).")
  private Path checkout;

  @Override public Integer call() throws IOException {
    Bundle.requireTools();
    if (Files.exists(out) && !Files.isDirectory(out)) throw new DataException(out, "is a file; --out takes a folder");
    Files.createDirectories(out);
    long free = Files.getFileStore(out).getUsableSpace();
    if (free < SPACE) {
      throw new IOException("%s: has %,d bytes free, and making a bundle takes %,d".formatted(out, free, SPACE));
    }
    Path archive = out.resolve(Bundle.NAME + ".tar.xz");
    try (Interrupt _ = new Interrupt()) {
      Path work = Files.createTempDirectory(out, ".bundle-");
      try {
        Path folder = work.resolve(Bundle.NAME);
        if (checkout != null) Bundle.addTests(folder, checkout);
        Bundle.assemble(folder, classPath());
        Archive.write(folder, archive);
      } finally {
        AtomicFiles.removeTree(work);
      }
    }
    double size = Files.size(archive) / 0x1p20;
    spec.commandLine().getOut().println(String.format(Locale.ROOT, "%s: %.1f MiB", archive, size));
    return 0;
  }

  private static List<Path> classPath() {
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).map(Path::of)
        .filter(Files::exists).toList();
  }
}
