package org.dyr.ranker.model;

/** A model gave a score that is infinite or NaN: its weights are damaged, or not a ranker's. */
public final class NotFiniteScoreException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  NotFiniteScoreException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The same with more to its message. */
  public NotFiniteScoreException with(String more) {
    return new NotFiniteScoreException(getMessage() + more, this);
  }
}
