package org.dyr.collective;

import org.dyr.device.Span;
import org.dyr.tensor.DType;

/**
 * One rank's place in a meeting of ranks that compute a step together. All ranks of a meeting call the same methods in
 * the same order, each from its own thread; a call returns when the result is here and the caller may overwrite what it
 * gave. When a rank fails, the others' calls throw {@link BrokenMeetingException}, when it ends too early, an
 * {@link IllegalStateException}: nobody waits for it.
 */
public interface Collective {

  /** This rank's number, from 0. */
  int rank();

  /** The number of ranks. */
  int size();

  /**
   * Lays what the ranks give one after the other, in the order of ranks.
   *
   * @param from as many bytes in every rank
   * @param to {@link #size} times as many
   * @throws IllegalArgumentException when the sizes do not fit
   */
  void allGather(Span from, Span to);

  /**
   * This rank's part of what {@link #allGather} lays out; nobody is waited for.
   *
   * @param all {@link #size} times the bytes of {@code mine}
   * @throws IllegalArgumentException when the sizes do not fit
   */
  void own(Span all, Span mine);

  /**
   * Adds what the ranks give, element by element, in the order of ranks: the same bits in every rank. Ranks that share
   * memory may give one {@code to}, which may be the {@code from} of one of them; then it is written once, and each of
   * them has added its part of it.
   *
   * @param from as many elements in every rank
   * @param to as many; no part of another rank's {@code from} but the whole of it
   * @param type F32 or F64
   * @throws IllegalArgumentException when sizes or type do not fit
   */
  void allReduce(Span from, Span to, DType type);

  /** The sum of one number a rank, added in the order of ranks: the same bits in every rank. */
  double sum(double value);

  /**
   * Parts the meeting: those that give the same color meet from now on by themselves too, in the order of their ranks
   * here.
   */
  Collective split(int color);
}
