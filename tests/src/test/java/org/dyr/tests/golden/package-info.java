/**
 * The engine against numbers of an independent implementation, made by {@code src/test/golden/make_golden.py}; what
 * the files hold, the formulas and what float32 cannot follow stand in the README beside it. Start with {@link
 * org.dyr.tests.golden.GoldenTest}.
 */
package org.dyr.tests.golden;
