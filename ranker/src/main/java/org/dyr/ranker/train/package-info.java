/**
 * Training: its configuration first. {@link org.dyr.ranker.train.ConfigKeys} is the one table of keys; parser, checks,
 * help and written form all come from it. {@link org.dyr.ranker.train.ConfigLoader} makes a {@link
 * org.dyr.ranker.train.TrainConfig} of a file and overrides. The configuration imports the JDK and SnakeYAML only.
 *
 * <p>{@link org.dyr.ranker.train.Trainer} runs {@link org.dyr.ranker.train.TrainingStep}s; what one rank does in a step
 * is {@link org.dyr.ranker.train.RankStep}.
 */
package org.dyr.ranker.train;
