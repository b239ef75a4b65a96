/**
 * Lexical retrieval by Lucene: {@link org.dyr.ranker.bm25.Bm25}, the baseline, and {@link org.dyr.ranker.bm25.Miner},
 * which writes the pools that training takes its negatives from. Imports data and eval. Imported by cli.
 */
package org.dyr.ranker.bm25;
