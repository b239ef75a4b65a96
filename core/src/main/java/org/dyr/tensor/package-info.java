/**
 * Plain data: {@link org.dyr.tensor.Shape}, {@link org.dyr.tensor.DType} and the two together, {@link
 * org.dyr.tensor.Spec}. They hold no memory and know no operations. Imports nothing; imported by every floor above.
 */
package org.dyr.tensor;
