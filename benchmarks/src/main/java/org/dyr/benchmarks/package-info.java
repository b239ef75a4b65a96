/**
 * JMH benchmarks. {@link org.dyr.benchmarks.Benchmarks} runs them all and prints a Markdown table; each class says what
 * work a call does, so that the table shows GFLOP/s or GB/s and the share of the machine's peak, measured in the same
 * run. {@link org.dyr.benchmarks.Products} sets our matrix products beside those of the peers' module, which sees
 * ProductPeer and Product alone.
 */
package org.dyr.benchmarks;
