/**
 * Whole runs: batches and micro-batches, training and resuming, processes that are killed, memory over many steps, the
 * ranker as applications embed it. Tests that compute take every kernel set that this machine has ({@link
 * org.dyr.tests.endtoend.KernelSets}); models and data are tiny ({@link org.dyr.tests.endtoend.TinyData}).
 */
package org.dyr.tests.endtoend;
