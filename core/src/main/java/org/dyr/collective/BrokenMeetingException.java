package org.dyr.collective;

/** A rank cannot go on, because another one has failed; the other one's failure is the cause. */
public final class BrokenMeetingException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  BrokenMeetingException(Throwable cause) {
    super("another rank has failed: " + cause, cause);
  }
}
