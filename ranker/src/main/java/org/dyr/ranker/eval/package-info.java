/**
 * What a ranking is worth: judgements, runs, measures, and the files that hold them. Imports the JDK and Jackson only;
 * imported by train and cli. Start with {@link org.dyr.ranker.eval.Metrics}; {@link org.dyr.ranker.eval.Run} is what it
 * measures, {@link org.dyr.ranker.eval.Qrels} is what it measures against.
 */
package org.dyr.ranker.eval;
