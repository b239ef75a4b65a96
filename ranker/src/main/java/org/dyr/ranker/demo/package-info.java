/** The embedded sample: {@link org.dyr.ranker.demo.Sample}. Its texts are of this project's own making. */
package org.dyr.ranker.demo;
