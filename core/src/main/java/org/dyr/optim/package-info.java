/**
 * Optimizers with their memory ({@link org.dyr.optim.Updater}), their hyper-parameters
 * ({@link org.dyr.optim.Optimizer}) and the learning rate over time ({@link org.dyr.optim.Schedule}). Imports op,
 * device, graph and nn. The formulas stand at {@link org.dyr.op.Update}.
 */
package org.dyr.optim;
