/**
 * What crosses modules. One table of op cases, {@link org.dyr.tests.OpCases}, runs through the gradient check (central
 * differences in double) and through every kernel set found (parity with the plain loops); {@link
 * org.dyr.tests.FusionTest} holds every row of the fusion table against the unfused program.
 *
 * <p>A new op is new rows in {@link org.dyr.tests.OpCases}; a new kernel set is at most a row in {@link
 * org.dyr.tests.Unsupported}; a new fusion is a sample in {@link org.dyr.tests.FusionSamples}.
 */
package org.dyr.tests;
