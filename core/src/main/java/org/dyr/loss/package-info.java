/** Losses, recorded from ops. Imports op and graph. Start with {@link org.dyr.loss.GroupLoss}. */
package org.dyr.loss;
