/**
 * The archive that runs where no Java is: {@link org.dyr.ranker.bundle.Bundle} puts together a trimmed Java runtime,
 * the jars and a launcher, {@link org.dyr.ranker.bundle.Archive} packs them.
 * Imports: core's {@code io}. Imported by: cli. Start with {@link org.dyr.ranker.bundle.Bundle}.
 */
package org.dyr.ranker.bundle;
