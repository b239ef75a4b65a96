package org.dyr.benchmarks.peers;

/** A contestant's process failed, crashed or took too long; the message says which, for its line in the table. */
final class ContestantException extends Exception {
  private static final long serialVersionUID = 1;

  ContestantException(String message) {
    super(message);
  }
}
