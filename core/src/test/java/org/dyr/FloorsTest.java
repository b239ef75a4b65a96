package org.dyr;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The floors of the house: which package of core may use which. Read from the sources, imports and full names alike.
 */
class FloorsTest {
  private static final Path SOURCES = Path.of("src/main/java");

  /** What each floor may use, itself aside. A package below a floor's, such as cpu.vector, belongs to it. */
  private static final Map<String, Set<String>> MAY_USE = Map.of(
      "tensor", Set.of(),
      "op", Set.of("tensor"),
      "device", Set.of("tensor", "op"),
      "graph", Set.of("tensor", "op", "device"),
      "cpu", Set.of("tensor", "op", "device"),
      "nn", Set.of("tensor", "op", "device", "graph"),
      "loss", Set.of("tensor", "op", "device", "graph", "nn"),
      "optim", Set.of("tensor", "op", "device", "graph", "nn"),
      "collective", Set.of("tensor", "op", "device"),
      "io", Set.of("tensor"));

  private static final Pattern OURS = Pattern.compile("\\borg\\.dyr\\.([a-z]+)");
  private static final Pattern IMPORT = Pattern.compile("(?m)^import (?:static )?([\\w.]+)");

  private record Source(Path file, String floor, String code) {}

  private static List<Source> sources() {
    try (Stream<Path> files = Files.walk(SOURCES)) {
      return files.filter(f -> f.toString().endsWith(".java") && !f.endsWith("module-info.java"))
          .map(FloorsTest::source).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Source source(Path file) {
    try {
      String code = Files.readString(file).replaceAll("(?s)/\\*.*?\\*/", "").replaceAll("//.*", "");
      return new Source(file, SOURCES.resolve("org/dyr").relativize(file).getName(0).toString(), code);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test void everyPackageStandsOnAFloor() {
    Set<String> found = new TreeSet<>();
    sources().forEach(s -> found.add(s.floor));
    assertTrue(found.containsAll(Set.of("tensor", "op", "device", "graph", "cpu")), "found only " + found);
    found.removeAll(MAY_USE.keySet());
    assertEquals(Set.of(), found, "packages that MAY_USE does not know");
  }

  @Test void noFloorUsesOneAbove() {
    List<String> wrong = new ArrayList<>();
    for (Source s : sources()) {
      for (Matcher m = OURS.matcher(s.code); m.find(); ) {
        String used = m.group(1);
        if (!used.equals(s.floor) && !MAY_USE.getOrDefault(s.floor, Set.of()).contains(used)) {
          wrong.add("%s uses %s".formatted(s.file, m.group()));
        }
      }
    }
    assertEquals(List.of(), wrong);
  }

  @Test void coreImportsNothingButTheJdk() {
    List<String> wrong = new ArrayList<>();
    for (Source s : sources()) {
      for (Matcher m = IMPORT.matcher(s.code); m.find(); ) {
        boolean allowed = m.group(1).matches("(java|jdk\\.incubator\\.vector|org\\.dyr)\\..*");
        if (!allowed) wrong.add(s.file + " imports " + m.group(1));
      }
    }
    assertEquals(List.of(), wrong);
  }

  /** Where the module is absent, only classes that nobody has touched may need it. */
  @Test void onlyTheVectorKernelsNeedTheIncubator() {
    List<Path> wrong = sources().stream().filter(s -> s.code.contains("jdk.incubator"))
        .map(Source::file).filter(f -> !f.startsWith(SOURCES.resolve("org/dyr/cpu/vector"))).toList();
    assertEquals(List.of(), wrong);
  }
}
