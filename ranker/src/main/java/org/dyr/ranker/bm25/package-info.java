/** The lexical baseline: {@link org.dyr.ranker.bm25.Bm25}, by Lucene. Imports data and eval. */
package org.dyr.ranker.bm25;
