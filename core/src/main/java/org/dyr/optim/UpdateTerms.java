package org.dyr.optim;

/**
 * What a step goes by that changes from step to step, on the way to the update.
 *
 * @param learningRate of the update
 * @param lossScale what the loss, and so every gradient, is multiplied by until gradients are clipped
 * @param updates made before this one: Lamb's bias corrections follow from it
 */
public record UpdateTerms(double learningRate, double lossScale, long updates) {}
