/**
 * Texts with relevance judgements, read from files. {@link org.dyr.ranker.data.RankingData} is one split of a directory
 * in MS MARCO style, for training and evaluation; {@link org.dyr.ranker.data.JsonLinesGroups} is ready-made groups;
 * both give the trainer a {@link org.dyr.ranker.data.TrainingSet}. Every mistake in a file is one
 * {@link org.dyr.ranker.data.DataException} that names file and line.
 * {@link org.dyr.ranker.data.MindRecordGroups} is groups that are encoded already.
 * Imports {@code org.dyr.formats}, and of this module text's {@link org.dyr.ranker.text.EncodedPair}. Start with {@link
 * org.dyr.ranker.data.RankingData}.
 */
package org.dyr.ranker.data;
