/**
 * Groups to train on: one positive and some negatives of the same query.
 * {@link org.dyr.ranker.group.GroupSampler} draws them, as a pure function of seed, epoch and index.
 * {@link org.dyr.ranker.group.Preparation} writes the groups of an epoch into MindRecord files.
 * Imports {@link org.dyr.ranker.data}, {@link org.dyr.ranker.text} and {@code org.dyr.formats}. Start with {@link
 * org.dyr.ranker.group.GroupSampler}.
 */
package org.dyr.ranker.group;
