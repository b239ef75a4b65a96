/** What the formats share: how a file is looked into, and how a file that is not what it should be is reported. */
package org.dyr.formats;
