/**
 * The definition of every primitive op as a plain loop in double, on one thread: the oracle that other kernels are held
 * against, and the floor that a device falls back to. {@link org.dyr.cpu.reference.Reference} says which class holds
 * which op.
 */
package org.dyr.cpu.reference;
