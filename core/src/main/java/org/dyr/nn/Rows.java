package org.dyr.nn;

import org.dyr.op.Gather;
import org.dyr.op.Queries;
import org.dyr.op.Value;

/** What the rows of an activation stand for. */
enum Rows {
  /** (T,C): every token. */
  TOKENS(Queries.ALL) {
    @Override Value of(Pass pass, Value x) {
      return x;
    }

    @Override Value drop(Pass pass, double probability, Value x) {
      return pass.dropTokens(probability, x);
    }
  },

  /** (S,C): the first token of each sequence, [CLS]. */
  FIRST(Queries.FIRST) {
    @Override Value of(Pass pass, Value x) {
      return pass.emit(new Gather(), x, pass.perSequence("first"));
    }

    @Override Value drop(Pass pass, double probability, Value x) {
      return pass.dropSequences(probability, x);
    }
  };

  private final Queries queries;

  Rows(Queries queries) {
    this.queries = queries;
  }

  /** The queries that have these rows. */
  Queries queries() {
    return queries;
  }

  /** These rows of x (T,C). */
  abstract Value of(Pass pass, Value x);

  /** Dropout of x, which has these rows. */
  abstract Value drop(Pass pass, double probability, Value x);
}
