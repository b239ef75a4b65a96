/**
 * How devices compute one step together. A {@link org.dyr.collective.Collective} is one rank's place in a meeting of
 * ranks: {@link org.dyr.collective.Solo} where there is but one, {@link org.dyr.collective.ThreadRanks} where ranks are
 * threads of one process. {@link org.dyr.collective.RankBackend} gives a rank's programs the kernels that gather.
 * Imports tensor, op and device. Start with {@link org.dyr.collective.Collective}.
 */
package org.dyr.collective;
