/**
 * What applications embed: {@link org.dyr.ranker.Ranker}. The rooms behind it: text (tokenizer, pairs), data (files),
 * group (sampling), model (directory, scoring), train, eval and cli.
 */
package org.dyr.ranker;
