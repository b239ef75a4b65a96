/**
 * Engines of others, each a process that {@link org.dyr.benchmarks.peers.Engine#serve} keeps answering: libtorch
 * ({@link org.dyr.peers.Torch}) and ONNX Runtime ({@link org.dyr.peers.Onnx}). oneDNN's matrix products
 * ({@link org.dyr.peers.OneDnn}) run in one process with ours.
 */
package org.dyr.peers;
