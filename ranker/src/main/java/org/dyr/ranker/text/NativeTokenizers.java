package org.dyr.ranker.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.jar.JarFile;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import org.dyr.io.AtomicFiles;
import org.dyr.io.CacheFolder;

/**
 * The native functions of the tokenizers jar, loaded from that jar and from nowhere else.
 *
 * <p>The jar's own front door ({@code HuggingFaceTokenizer}) is not used, because it reaches the network unless a
 * system property or an environment variable of the process forbids it: every instance may report to a telemetry host,
 * and on a machine with an NVIDIA GPU the loader downloads a CUDA build of the library. This class takes the CPU build
 * that lies in the jar, so nothing is fetched and no property is needed.
 *
 * <p>The library, 15 MB, is extracted once into the user's {@link CacheFolder}, and again whenever the copy there is
 * not the jar's, byte for byte. Where no file can be kept or loaded there, it is extracted to a fresh directory under
 * {@code java.io.tmpdir}, loaded, and deleted at once (where the system locks a loaded file, as Windows does, when the
 * JVM exits). The functions bind to the class loader of this class, so the tokenizers jar has to be loaded by the same
 * one, as on any plain class path or module path.
 */
final class NativeTokenizers {

  private static TokenizersLibrary loaded;

  private NativeTokenizers() {
  }

  /** The native functions; the first call extracts and loads them. */
  static synchronized TokenizersLibrary library() {
    if (loaded == null) {
      load(platform(System.getProperty("os.name"), System.getProperty("os.arch")));
      loaded = TokenizersLibrary.LIB;
    }
    return loaded;
  }

  /** The jar's name of a platform, for example {@code linux-x86_64}. */
  static String platform(String osName, String osArch) {
    String os = osName.toLowerCase(Locale.ROOT);
    String system = os.startsWith("linux") ? "linux" : os.startsWith("mac") ? "osx" : os.startsWith("win") ? "win" : os;
    String machine = osArch.equals("amd64") ? "x86_64" : osArch;
    return system + "-" + machine;
  }

  private static void load(String platform) {
    List<String> names = new ArrayList<>();
    if (platform.startsWith("win")) {
      names.addAll(List.of("libwinpthread-1.dll", "libgcc_s_seh-1.dll", "libstdc++-6.dll"));
    }
    names.add(System.mapLibraryName("tokenizers"));
    if (!loadKept(names, platform)) extractAndLoad(names, platform);
  }

  /** Loads the copies in the user's cache; false where that cannot be done. */
  @SuppressWarnings("restricted") // loading native code is what this class is for
  private static boolean loadKept(List<String> names, String platform) {
    try {
      for (String name : names) System.load(kept(CacheFolder.path(), platform, name).toString());
      return true;
    } catch (IOException | UncheckedIOException | UnsatisfiedLinkError e) {
      return false; // no folder for it, or none that allows execution: there is another way
    }
  }

  /** A file of the jar, as a copy in a cache, made where there is none or another. */
  static Path kept(Path cache, String platform, String name) throws IOException {
    String resource = resource(platform, name);
    URL url = TokenizersLibrary.class.getResource(resource);
    if (url == null || !(url.openConnection() instanceof JarURLConnection connection)) {
      throw new IOException(resource + " is not in a jar");
    }
    connection.setUseCaches(false);
    try (JarFile jar = connection.getJarFile()) {
      ZipEntry entry = jar.getEntry(connection.getEntryName());
      Path file = cache.resolve("tokenizers").resolve("%s-%08x".formatted(platform, entry.getCrc())).resolve(name);
      if (!isCopy(file, entry)) {
        Files.createDirectories(file.getParent());
        AtomicFiles.write(file, to -> {
          try (InputStream in = jar.getInputStream(entry)) {
            in.transferTo(Channels.newOutputStream(to));
          }
        });
      }
      return file;
    }
  }

  private static boolean isCopy(Path file, ZipEntry entry) throws IOException {
    if (!Files.isRegularFile(file) || Files.size(file) != entry.getSize()) return false;
    CRC32 crc = new CRC32();
    byte[] chunk = new byte[1 << 16];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(chunk); n > 0; n = in.read(chunk)) crc.update(chunk, 0, n);
    }
    return crc.getValue() == entry.getCrc();
  }

  private static String resource(String platform, String name) {
    return "/native/lib/" + platform + "/cpu/" + name;
  }

  @SuppressWarnings("restricted")
  private static void extractAndLoad(List<String> names, String platform) {
    List<Path> extracted = new ArrayList<>();
    Path directory = null;
    try {
      directory = Files.createTempDirectory("dyr-tokenizers-");
      for (String name : names) {
        Path file = directory.resolve(name);
        extracted.add(file);
        copyFromJar(resource(platform, name), file, platform);
        System.load(file.toAbsolutePath().toString());
      }
    } catch (IOException e) {
      throw new TokenizerException("cannot extract the tokenizers library under " + System.getProperty("java.io.tmpdir")
          + ": " + e + "; it needs about 16 MB there", e);
    } catch (UnsatisfiedLinkError e) {
      throw new TokenizerException("cannot load the tokenizers library from " + directory + ": " + e.getMessage()
          + "; if that file system forbids execution, start Java with -Djava.io.tmpdir=DIR on one that allows it", e);
    } finally {
      for (Path file : extracted) delete(file);
      if (directory != null) delete(directory);
    }
  }

  private static void copyFromJar(String resource, Path file, String platform) throws IOException {
    try (InputStream in = TokenizersLibrary.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new TokenizerException("the tokenizers jar has no native library for " + platform + " (" + resource
            + "); it has linux-x86_64, linux-aarch64, osx-aarch64 and win-x86_64");
      }
      Files.copy(in, file);
    }
  }

  /** A loaded library that cannot be unlinked now (Windows) goes when the JVM exits. */
  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      file.toFile().deleteOnExit();
    }
  }
}
