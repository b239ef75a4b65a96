package org.dyr.ranker.train;

/**
 * The optimizer and its schedule: the keys {@code optimizer.*}, described by {@code dyr train --help-config}.
 *
 * @param name lamb, adam_weight_decay or momentum
 */
public record OptimizerConfig(String name, double learningRate, double endLearningRate, double power,
    double warmupRatio, double weightDecay, double eps, double beta1, double beta2, double momentum) {}
