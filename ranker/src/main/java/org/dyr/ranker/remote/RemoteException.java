package org.dyr.ranker.remote;

/** A bucket that cannot be read or written; the message names bucket and key, why, and what would help. */
public final class RemoteException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  RemoteException(String message) {
    super(message);
  }

  /** The same with more to its message. */
  public RemoteException with(String more) {
    return new RemoteException(getMessage() + more, this);
  }

  RemoteException(String message, Throwable cause) {
    super(message, cause);
  }
}
