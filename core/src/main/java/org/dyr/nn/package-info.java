/**
 * Layers, and BERT made of them. A layer declares its {@link org.dyr.nn.Parameter}s when it is built and records its
 * ops into a {@link org.dyr.nn.Pass} when it is applied; it holds no numbers. Those live in {@link org.dyr.nn.Weights}.
 * Imports tensor, op, device and graph. Start with {@link org.dyr.nn.Bert}.
 */
package org.dyr.nn;
