package org.dyr.ranker.train;

/** A configuration that cannot be used. The message names the place (file and line, or --set), key and remedy. */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The place may be empty where the fault lies in no single line. */
  ConfigException(String place, String what) {
    super(place.isEmpty() ? what : place + ": " + what);
  }
}
