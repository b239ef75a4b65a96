/**
 * Text to token ids: {@link org.dyr.ranker.text.Tokenizer} is BERT WordPiece,
 * {@link org.dyr.ranker.text.PairEncoder} lays out {@code [CLS] query [SEP] passage [SEP]} and truncates,
 * {@link org.dyr.ranker.text.TokenCache} tokenizes each training text once.
 * Imports nothing of this project but core's io. Start with {@link org.dyr.ranker.text.Tokenizer}.
 */
package org.dyr.ranker.text;
