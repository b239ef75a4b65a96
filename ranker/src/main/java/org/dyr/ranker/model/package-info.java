/**
 * A model as a directory in the Hugging Face layout ({@link org.dyr.ranker.model.ModelDirectory}), and the scoring of
 * pairs by it ({@link org.dyr.ranker.model.Scorer}). Imports text and the engine. Imported by train, eval, cli and
 * {@link org.dyr.ranker.Ranker}.
 */
package org.dyr.ranker.model;
