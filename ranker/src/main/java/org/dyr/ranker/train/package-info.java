/**
 * Training: its configuration first. {@link org.dyr.ranker.train.ConfigKeys} is the one table of keys; parser, checks,
 * help and written form all come from it. {@link org.dyr.ranker.train.ConfigLoader} makes a {@link
 * org.dyr.ranker.train.TrainConfig} of a file and overrides. The configuration imports the JDK and SnakeYAML only.
 */
package org.dyr.ranker.train;
