/**
 * What a ranking is worth: judgements, runs, measures, the files that hold them, and the scoring of a split. Imports
 * data, text, model and core's io; imported by train and cli. Start with {@link org.dyr.ranker.eval.Metrics};
 * {@link org.dyr.ranker.eval.Run} is what it measures, {@link org.dyr.ranker.eval.Qrels} is what it measures against.
 */
package org.dyr.ranker.eval;
