package org.dyr.ranker.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.dyr.io.AtomicFiles;

/**
 * BERT WordPiece: a text to token ids. The work is done by Hugging Face's tokenizers library, native code that comes
 * inside the jar {@code ai.djl.huggingface:tokenizers}. It is extracted to the user's cache, once, or where that cannot
 * be written to a fresh directory under {@code java.io.tmpdir}; nothing is downloaded, no system property is set. Java
 * 25 prints a warning on loading native code unless it was started with {@code --enable-native-access=ALL-UNNAMED}, or
 * on a module path {@code =org.dyr.ranker,ai.djl.tokenizers}.
 *
 * <p>Safe for use by many threads; {@link #close} waits for calls in progress.
 */
public final class Tokenizer implements AutoCloseable {

  private final TokenizersLibrary library;
  private final Path source;
  private final Map<String, byte[]> files;
  private final SpecialTokens special;
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle;

  private Tokenizer(TokenizersLibrary library, TokenizerFiles from, SpecialTokens special, long handle) {
    this.library = library;
    this.source = from.source();
    this.files = from.files();
    this.special = special;
    this.handle = handle;
  }

  /**
   * Loads a tokenizer.
   *
   * @param path a {@code tokenizer.json}; or a {@code vocab.txt} (one token a line, under any name that does not end in
   *     {@code .json}); or a directory that has either, {@code tokenizer.json} preferred. For a {@code vocab.txt} the
   *     keys {@code do_lower_case}, {@code strip_accents} and {@code tokenize_chinese_chars} of a
   *     {@code tokenizer_config.json} beside it are honoured; without one, text is lower-cased. Truncation and padding
   *     that a {@code tokenizer.json} asks for are switched off: {@link PairEncoder} does the first, nobody the second.
   * @throws TokenizerException naming the file, when it is missing, broken, not WordPiece, or has no [CLS], [SEP],
   *     [PAD] or [UNK]
   */
  public static Tokenizer load(Path path) {
    TokenizerFiles files = TokenizerFiles.read(path);
    SpecialTokens special = SpecialTokens.of(files.tree(), files.source());
    TokenizersLibrary library = NativeTokenizers.library();
    long handle;
    try {
      handle = library.createTokenizerFromString(files.json());
    } catch (RuntimeException e) {
      throw new TokenizerException(files.source() + ": is not a usable tokenizer: " + e.getMessage(), e);
    }
    library.disableTruncation(handle);
    library.disablePadding(handle);
    return new Tokenizer(library, files, special, handle);
  }

  /**
   * The ids of a text, without [CLS] and [SEP] and never truncated. An empty text has no ids. A special token that the
   * text spells out, such as {@code [SEP]}, gets its id, as with Hugging Face.
   *
   * @throws IllegalStateException after {@link #close}
   */
  public int[] encode(String text) {
    String whole = withoutLoneSurrogates(text);
    Lock reading = lock.readLock();
    reading.lock();
    try {
      if (handle == 0) throw new IllegalStateException("the tokenizer of " + source + " is closed");
      long encoding = library.encode(handle, whole, false);
      try {
        long[] ids = library.getTokenIds(encoding);
        int[] narrow = new int[ids.length];
        for (int i = 0; i < ids.length; i++) narrow[i] = (int) ids[i];
        return narrow;
      } finally {
        library.deleteEncoding(encoding);
      }
    } finally {
      reading.unlock();
    }
  }

  /** Half a surrogate pair has no UTF-8 form, so it becomes U+FFFD, which BERT's normalizer drops. */
  private static String withoutLoneSurrogates(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (!Character.isSurrogate(text.charAt(i))) continue;
      StringBuilder clean = new StringBuilder(text.length());
      text.codePoints().forEach(c -> clean.appendCodePoint(c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c));
      return clean.toString();
    }
    return text;
  }

  /** The file that defines the vocabulary. */
  public Path source() {
    return source;
  }

  public int clsId() {
    return special.cls();
  }

  public int sepId() {
    return special.sep();
  }

  public int padId() {
    return special.pad();
  }

  public int unkId() {
    return special.unk();
  }

  /** The largest id plus one: the rows that a word embedding needs at least. */
  public int vocabularySize() {
    return special.vocabularySize();
  }

  /**
   * Writes the files of this tokenizer into a model directory, byte for byte as they came: {@code tokenizer.json} or
   * {@code vocab.txt}, and what lay beside it of {@code vocab.txt} and {@code tokenizer_config.json}; each in one step.
   *
   * @throws TokenizerException when a file cannot be written
   */
  public void save(Path directory) {
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      Path target = directory.resolve(file.getKey());
      try {
        Files.createDirectories(directory);
        AtomicFiles.write(target, file.getValue());
      } catch (IOException e) {
        throw new TokenizerException(target + ": cannot be written: " + e, e);
      } catch (UncheckedIOException e) {
        throw new TokenizerException(e.getMessage(), e);
      }
    }
  }

  /** Frees the native tokenizer. Closing twice is harmless. */
  @Override public void close() {
    Lock writing = lock.writeLock();
    writing.lock();
    try {
      if (handle != 0) library.deleteTokenizer(handle);
      handle = 0;
    } finally {
      writing.unlock();
    }
  }
}
