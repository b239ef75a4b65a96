package org.dyr.kernels.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import org.dyr.io.AtomicFiles;
import org.dyr.io.CacheFolder;

/**
 * Compiled kernels, kept in the user's {@link CacheFolder}: a file is named by the hash of text, compiler and
 * architecture, and begins with the hash of its cubin, by which a damaged one is known; that is compiled again. The text
 * lies beside it, for who wants to read what was generated. Where the folder cannot be written, nothing is kept.
 */
final class Cubins {
  private static final String FOLDER = "cubin";

  private Cubins() {}

  /** The cubin of a text for an architecture such as {@code sm_90}. */
  static byte[] of(String text, String architecture) {
    String key = String.join("\n", Nvrtc.version(), architecture, text);
    String name = HexFormat.of().formatHex(hash(key.getBytes(StandardCharsets.UTF_8)));
    Path folder = CacheFolder.path().resolve(FOLDER), file = folder.resolve(name + ".cubin");
    return read(file).orElseGet(() -> {
      byte[] cubin = Nvrtc.compile(text, architecture);
      write(file, hash(cubin), cubin);
      write(folder.resolve(name + ".cu"), text.getBytes(StandardCharsets.UTF_8));
      return cubin;
    });
  }

  private static Optional<byte[]> read(Path file) {
    try {
      byte[] all = Files.readAllBytes(file);
      int length = hash(new byte[0]).length;
      if (all.length < length) return Optional.empty();
      byte[] cubin = Arrays.copyOfRange(all, length, all.length);
      return Arrays.equals(hash(cubin), Arrays.copyOf(all, length)) ? Optional.of(cubin) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static void write(Path file, byte[]... parts) {
    try {
      Files.createDirectories(file.getParent());
      AtomicFiles.write(file, channel -> {
        for (byte[] part : parts) {
          for (ByteBuffer b = ByteBuffer.wrap(part); b.hasRemaining(); ) channel.write(b);
        }
      });
    } catch (IOException | UncheckedIOException e) {
      // Not kept then.
    }
  }

  private static byte[] hash(byte[] of) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(of);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
