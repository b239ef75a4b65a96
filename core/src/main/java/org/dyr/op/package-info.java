/**
 * Operations as plain data: shapes, gradients, formulas. No device code, no memory. Imports tensor. Imported by device,
 * graph, nn and every kernel module. Start with {@link org.dyr.op.LayerNorm}; {@link org.dyr.op.Op} lists the rest.
 *
 * <p>Sizes in comments: T tokens, S sequences, G groups, C channels, H heads, D head size, L longest sequence, Q
 * attention's queries, R rows, V vocabulary.
 */
package org.dyr.op;
