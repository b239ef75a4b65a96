package org.dyr.ranker.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The native functions of the tokenizers jar, loaded from that jar and from nowhere else.
 *
 * <p>The jar's own front door ({@code HuggingFaceTokenizer}) is not used, because it reaches the network unless a
 * system property or an environment variable of the process forbids it: every instance may report to a telemetry host,
 * and on a machine with an NVIDIA GPU the loader downloads a CUDA build of the library. This class takes the CPU build
 * that lies in the jar, so nothing is fetched and no property is needed.
 *
 * <p>The library is extracted to a fresh directory under {@code java.io.tmpdir}, loaded, and deleted at once (where the
 * system locks a loaded file, as Windows does, when the JVM exits). The functions bind to the class loader of this
 * class, so the tokenizers jar has to be loaded by the same one, as on any plain class path or module path.
 */
final class NativeTokenizers {

  private static TokenizersLibrary loaded;

  private NativeTokenizers() {
  }

  /** The native functions; the first call extracts and loads them. */
  static synchronized TokenizersLibrary library() {
    if (loaded == null) {
      extractAndLoad(platform(System.getProperty("os.name"), System.getProperty("os.arch")));
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

  @SuppressWarnings("restricted") // loading native code is what this class is for
  private static void extractAndLoad(String platform) {
    List<String> names = new ArrayList<>();
    if (platform.startsWith("win")) {
      names.addAll(List.of("libwinpthread-1.dll", "libgcc_s_seh-1.dll", "libstdc++-6.dll"));
    }
    names.add(System.mapLibraryName("tokenizers"));
    List<Path> extracted = new ArrayList<>();
    Path directory = null;
    try {
      directory = Files.createTempDirectory("dyr-tokenizers-");
      for (String name : names) {
        Path file = directory.resolve(name);
        extracted.add(file);
        copyFromJar("/native/lib/" + platform + "/cpu/" + name, file, platform);
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
