package org.dyr.ranker.train;

/** A group that no cut brings under the token budget: nothing of its step has been computed. */
final class GroupTooLargeException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  GroupTooLargeException(String message) {
    super(message);
  }
}
