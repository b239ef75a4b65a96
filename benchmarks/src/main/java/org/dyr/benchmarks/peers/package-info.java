/**
 * The product beside what a user would run in its place. {@link org.dyr.benchmarks.peers.Peers} is the command: for
 * each {@link org.dyr.benchmarks.peers.Row} it starts every {@link org.dyr.benchmarks.peers.Contestant} as a process of
 * its own and has them take turns. What a process is asked to do is a {@link org.dyr.benchmarks.peers.Job}; what
 * answers is an {@link org.dyr.benchmarks.peers.Engine}: ours here, the peers' in the module {@code benchmarks/peers}.
 * That module sees Engine, Job, Sequence and Formula of this package, which therefore need the JDK alone.
 */
package org.dyr.benchmarks.peers;
