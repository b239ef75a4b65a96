package org.dyr.tests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.dyr.op.FusedOp;
import org.dyr.op.Op;

/** Every op class there is: the primitives from the sealed family, the fused ones from the classes of their package. */
final class Catalogue {
  private Catalogue() {}

  static Set<Class<?>> all() {
    Set<Class<?>> found = new TreeSet<>(Comparator.comparing(Class::getName));
    addPermitted(Op.class, found);
    addFused(found);
    return found;
  }

  private static void addPermitted(Class<?> type, Set<Class<?>> found) {
    if (!type.isInterface()) found.add(type);
    else if (type.isSealed()) for (Class<?> permitted : type.getPermittedSubclasses()) addPermitted(permitted, found);
  }

  /** {@link FusedOp} is open, so its implementations are looked for where it was loaded from: a folder or a jar. */
  private static void addFused(Set<Class<?>> found) {
    try {
      Path home = Path.of(Op.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      if (Files.isDirectory(home)) {
        addFused(home, found);
      } else {
        try (FileSystem jar = FileSystems.newFileSystem(home)) {
          addFused(jar.getPath("/"), found);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (URISyntaxException | ClassNotFoundException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void addFused(Path root, Set<Class<?>> found) throws IOException, ClassNotFoundException {
    String folder = Op.class.getPackageName().replace('.', '/');
    try (Stream<Path> files = Files.list(root.resolve(folder))) {
      for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
        String name = file.getFileName().toString().replace(".class", "");
        if (name.contains("-info")) continue;
        Class<?> c = Class.forName(Op.class.getPackageName() + "." + name);
        if (FusedOp.class.isAssignableFrom(c) && !c.isInterface()) found.add(c);
      }
    }
  }
}
