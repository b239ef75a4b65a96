/**
 * Groups to train on: one positive and some negatives of the same query.
 * {@link org.dyr.ranker.group.GroupSampler} draws them, as a pure function of seed, epoch and index.
 * Imports {@link org.dyr.ranker.data}. Start with {@link org.dyr.ranker.group.GroupSampler}.
 */
package org.dyr.ranker.group;
