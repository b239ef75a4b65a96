package org.dyr.nn;

import org.dyr.op.Gather;
import org.dyr.op.Value;

/** What the rows of an activation stand for. */
enum Rows {
  /** (T,C): every token. */
  TOKENS {
    @Override Value of(Pass pass, Value x) {
      return x;
    }

    @Override Value drop(Pass pass, double probability, Value x) {
      return pass.dropTokens(probability, x);
    }
  },

  /** (S,C): the first token of each sequence, [CLS]. */
  FIRST {
    @Override Value of(Pass pass, Value x) {
      return pass.emit(new Gather(), x, pass.perSequence("first"));
    }

    @Override Value drop(Pass pass, double probability, Value x) {
      return pass.dropSequences(probability, x);
    }
  };

  /** These rows of x (T,C). */
  abstract Value of(Pass pass, Value x);

  /** Dropout of x, which has these rows. */
  abstract Value drop(Pass pass, double probability, Value x);
}
