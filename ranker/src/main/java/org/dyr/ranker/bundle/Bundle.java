package org.dyr.ranker.bundle;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.dyr.ranker.data.DataException;

/**
 * A folder that runs on any 64-bit Linux on x86 with glibc: {@code java}, a runtime of what is needed; {@code lib}, the
 * jars of a class path for this platform alone; {@code dyr}, the launcher, and README.txt. With tests: {@code tests},
 * which the launcher runs as {@code ./dyr --junit}, and {@code gpu}, the scripts that measure on a GPU.
 */
public final class Bundle {
  /** Of the folder, and of the archive but for its ending. */
  public static final String NAME = "dyr-linux-x86_64";

  /** What {@code jdeps -s -R} says of all jars, the vector kernels' module, and what the protobuf library may use. */
  public static final List<String> MODULES = List.of("java.base", "java.logging", "java.management", "java.sql",
      "java.xml", "jdk.incubator.vector", "jdk.management", "jdk.unsupported");

  private static final String LAUNCHER = "dyr";
  private static final String README = "README.txt";

  private Bundle() {}

  /** @throws IOException where no bundle can be made, with the reason */
  public static void requireTools() throws IOException {
    String system = System.getProperty("os.name"), processor = System.getProperty("os.arch");
    if (!system.equals("Linux") || !processor.equals("amd64")) {
      throw new IOException("a bundle is made on 64-bit Linux on x86; this is %s on %s".formatted(system, processor));
    }
    jlink();
    Archive.requireTools();
  }

  private static ToolProvider jlink() throws IOException {
    return ToolProvider.findFirst("jlink").orElseThrow(() -> new IOException(("no jlink in the Java that runs this, %s: "
        + "it takes a JDK, set JAVA_HOME to one").formatted(System.getProperty("java.home"))));
  }

  /**
   * Fills a folder with all but the tests.
   *
   * @param classPath jars, or folders of classes
   */
  public static void assemble(Path folder, List<Path> classPath) throws IOException {
    Path lib = Files.createDirectories(folder.resolve("lib"));
    for (Path source : classPath) SlimJar.copy(source, unused(lib, source.getFileName().toString()));
    resource(LAUNCHER, folder);
    resource(README, folder);
    if (!folder.resolve(LAUNCHER).toFile().setExecutable(true, false)) {
      throw new IOException(folder + ": its file system knows no executable files");
    }
    link(folder.resolve("java"));
  }

  /** A name that no other source has taken: folders of classes are all called alike. */
  private static Path unused(Path folder, String name) {
    String stem = name.endsWith(".jar") ? name.substring(0, name.length() - ".jar".length()) : name;
    Path path = folder.resolve(stem + ".jar");
    for (int i = 2; Files.exists(path); i++) path = folder.resolve(stem + "-" + i + ".jar");
    return path;
  }

  private static void resource(String name, Path folder) throws IOException {
    try (InputStream content = Bundle.class.getResourceAsStream(name)) {
      Files.copy(content, folder.resolve(name));
    }
  }

  /** Nothing is compressed within the runtime: xz does it better, and a third smaller. */
  private static void link(Path runtime) throws IOException {
    StringWriter said = new StringWriter();
    PrintWriter to = new PrintWriter(said);
    int code = jlink().run(to, to, "--add-modules", String.join(",", MODULES), "--strip-debug", "--no-man-pages",
        "--no-header-files", "--compress", "zip-0", "--output", runtime.toString());
    if (code != 0) throw new IOException("jlink failed: " + said);
  }

  /**
   * Adds the tests and the scripts of a checkout that has been built.
   *
   * @throws DataException where its tests have not been packed, or have been changed since
   */
  public static void addTests(Path folder, Path checkout) throws IOException {
    Path target = checkout.resolve("tests/target"), scripts = checkout.resolve("benchmarks/gpu");
    List<Path> jars = new ArrayList<>(list(target, "dyr-tests-*-tests.jar"));
    List<Path> console = list(target.resolve("console"), "*.jar");
    String remedy = "run mvn -DskipTests package in " + checkout + " first";
    if (jars.isEmpty() || console.isEmpty()) {
      throw new DataException(target, "has no tests packed: " + remedy);
    }
    for (Path jar : jars) {
      Optional<Path> newer = newer(checkout.resolve("tests/src"), jar);
      if (newer.isPresent()) throw new DataException(newer.get(), "is newer than " + jar + ": " + remedy);
    }
    jars.addAll(console);
    Path tests = Files.createDirectories(folder.resolve("tests"));
    for (Path jar : jars) SlimJar.copy(jar, tests.resolve(jar.getFileName()));
    Path gpu = Files.createDirectories(folder.resolve("gpu"));
    for (Path script : list(scripts, "*.*")) {
      Files.copy(script, gpu.resolve(script.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
    }
  }

  /** A file under the folder that was written after the other. */
  private static Optional<Path> newer(Path folder, Path than) throws IOException {
    if (!Files.isDirectory(folder)) return Optional.empty();
    FileTime time = Files.getLastModifiedTime(than);
    try (Stream<Path> all = Files.find(folder, Integer.MAX_VALUE,
        (_, attributes) -> attributes.isRegularFile() && attributes.lastModifiedTime().compareTo(time) > 0)) {
      return all.min(Comparator.naturalOrder());
    }
  }

  private static List<Path> list(Path folder, String glob) throws IOException {
    if (!Files.isDirectory(folder)) return List.of();
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, glob)) {
      for (Path file : all) if (Files.isRegularFile(file)) files.add(file);
    }
    files.sort(null);
    return files;
  }
}
