package org.dyr.ranker.text;

import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

/**
 * Tokenizes each text once and keeps the ids, two bytes a token while the vocabulary has at most 65,536 entries. Of a
 * long text only the first {@code maxTokens} ids are kept; with the pair encoder's {@code maxLength} that changes
 * neither a pair nor what is counted as truncated. Beyond {@code maxBytes} further texts are tokenized at every call
 * and not kept. Texts are the keys and are shared with the caller, not copied. Safe for use by many threads.
 */
public final class TokenCache {

  private static final int NARROW = 1 << Character.SIZE;
  private static final int ENTRY_BYTES = 80; // map node, table slot and array header, about

  private final Tokenizer tokenizer;
  private final int maxTokens;
  private final long maxBytes;
  private final boolean narrow;
  private final Map<String, Object> kept = new ConcurrentHashMap<>(); // char[] when narrow, else int[]
  private final AtomicLong bytes = new AtomicLong();

  /**
   * @param maxTokens ids kept of one text, at least 1
   * @param maxBytes heap that the ids may take, about; 0 keeps nothing
   */
  public TokenCache(Tokenizer tokenizer, int maxTokens, long maxBytes) {
    if (maxTokens < 1) throw new IllegalArgumentException("maxTokens must be at least 1, not " + maxTokens);
    if (maxBytes < 0) throw new IllegalArgumentException("maxBytes must be at least 0, not " + maxBytes);
    this.tokenizer = tokenizer;
    this.maxTokens = maxTokens;
    this.maxBytes = maxBytes;
    narrow = tokenizer.vocabularySize() <= NARROW;
  }

  /** The ids of a text, at most {@code maxTokens}; a fresh array. */
  public int[] ids(String text) {
    Object found = kept.get(text);
    if (found instanceof char[] ids) return widen(ids);
    if (found instanceof int[] ids) return ids.clone();
    int[] ids = tokenizer.encode(text);
    if (ids.length > maxTokens) ids = Arrays.copyOf(ids, maxTokens);
    keep(text, ids);
    return ids;
  }

  /**
   * Tokenizes the texts now, on {@code threads} threads that end before this returns.
   *
   * @throws TokenizerException when a thread fails or the caller is interrupted
   */
  public void fill(Collection<String> texts, int threads) {
    if (threads < 1) throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    String[] all = texts.toArray(String[]::new);
    try (ExecutorService workers = Executors.newFixedThreadPool(threads,
        Thread.ofPlatform().daemon().name("dyr-tokenizer-", 0).factory())) {
      var shares = IntStream.range(0, threads).<Future<?>>mapToObj(worker -> workers.submit(() -> {
        for (int i = worker; i < all.length; i += threads) {
          if (!kept.containsKey(all[i]) && bytes.get() < maxBytes) ids(all[i]);
        }
      })).toList();
      for (Future<?> share : shares) share.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TokenizerException("interrupted while tokenizing " + all.length + " texts", e);
    } catch (ExecutionException e) {
      throw new TokenizerException("tokenizing failed: " + e.getCause(), e.getCause());
    }
  }

  /** Texts kept. */
  public int size() {
    return kept.size();
  }

  /** Heap bytes of what is kept, about, without the texts. */
  public long bytes() {
    return bytes.get();
  }

  private void keep(String text, int[] ids) {
    long size = ENTRY_BYTES + (long) ids.length * (narrow ? Character.BYTES : Integer.BYTES);
    if (bytes.addAndGet(size) > maxBytes || kept.putIfAbsent(text, narrow ? narrow(ids) : ids.clone()) != null) {
      bytes.addAndGet(-size);
    }
  }

  private static char[] narrow(int[] ids) {
    char[] narrow = new char[ids.length];
    for (int i = 0; i < ids.length; i++) narrow[i] = (char) ids[i];
    return narrow;
  }

  private static int[] widen(char[] ids) {
    int[] wide = new int[ids.length];
    for (int i = 0; i < ids.length; i++) wide[i] = ids[i];
    return wide;
  }
}
