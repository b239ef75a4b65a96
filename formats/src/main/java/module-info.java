/**
 * Readers and writers of the files of other frameworks: MindSpore's, PyTorch's, TensorFlow's. Nothing here computes.
 */
module org.dyr.formats {
  requires transitive org.dyr.core;
  requires transitive com.fasterxml.jackson.databind;
  requires com.google.protobuf;
  requires java.sql;
  requires msgpack.core;
  requires org.xerial.sqlitejdbc;

  exports org.dyr.formats;
  exports org.dyr.formats.checkpoint;
  exports org.dyr.formats.mindrecord;
  exports org.dyr.formats.tfrecord;
}
