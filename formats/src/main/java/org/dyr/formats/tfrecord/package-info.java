/**
 * TFRecord, TensorFlow's file of records, with tf.Example inside. Imports nothing of this project but
 * {@code org.dyr.formats}. Start with {@link org.dyr.formats.tfrecord.TfRecordReader}.
 */
package org.dyr.formats.tfrecord;
