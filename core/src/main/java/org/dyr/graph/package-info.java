/**
 * From recorded ops to a program: {@link org.dyr.graph.Graph} records, {@link org.dyr.graph.Backprop} appends the
 * gradient, {@link org.dyr.graph.Fusions} rewrites, {@link org.dyr.graph.Plan} places every value in one workspace, and
 * {@link org.dyr.graph.Program} runs the prepared kernels. Imports tensor, op and device. Imported by nn and everything
 * above. Start with {@link org.dyr.graph.Compiler}, which is the whole way on one page.
 */
package org.dyr.graph;
