/**
 * The command line: one class a command, {@link org.dyr.ranker.cli.Main} lists them. A command reads its options, calls
 * the rooms that do the work, and prints; it computes nothing itself. Results go to standard output, progress and
 * errors to standard error. May import all of ranker and core, and picocli; imported by nothing. Start with {@link
 * org.dyr.ranker.cli.MetricsCommand}, the shortest one that shows the form.
 */
package org.dyr.ranker.cli;
