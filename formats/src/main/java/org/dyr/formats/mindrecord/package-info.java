/**
 * MindRecord, MindSpore's data set format: pages of records in one or several shards, each with an SQLite index that
 * repeats what the pages say. {@link org.dyr.formats.mindrecord.MindRecordReader} reads rows by number or in
 * file order; {@link org.dyr.formats.mindrecord.MindRecordWriter} writes shards and indexes.
 *
 * <p>Lengths in front of a record are little-endian, lengths inside a blob record big-endian.
 * Imports nothing of this project but {@code org.dyr.formats} and {@code org.dyr.io}. Start with
 * {@link org.dyr.formats.mindrecord.Schema}.
 */
package org.dyr.formats.mindrecord;
