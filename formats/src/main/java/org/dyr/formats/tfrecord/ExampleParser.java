package org.dyr.formats.tfrecord;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * tf.Example from its protobuf bytes: {@code Example {1: Features {1: map<string, Feature>}}}, a feature being one of
 * bytes_list (1), float_list (2) and int64_list (3), each {@code {1: repeated value}}, packed or not. Other fields are
 * skipped; of a field that comes twice the parts are merged, and of a name the last feature counts, as protobuf says.
 */
final class ExampleParser {
  private static final int FIRST_FIELD = 1;
  private static final int KEY = 1;
  private static final int VALUE = 2;
  private static final int BYTES_LIST = 1;
  private static final int FLOAT_LIST = 2;
  private static final int INT64_LIST = 3;

  private final CodedInputStream in;

  private ExampleParser(byte[] example) {
    in = CodedInputStream.newInstance(example);
  }

  /** The features by name. */
  static Map<String, Feature> parse(byte[] example) throws IOException {
    return new ExampleParser(example).example();
  }

  /** Reads a field of the message that is being read. */
  @FunctionalInterface
  private interface Field {
    /** Reads the field that the tag announces; false for one it does not know. */
    boolean read(int tag) throws IOException;
  }

  private Map<String, Feature> example() throws IOException {
    Map<String, Feature> features = new TreeMap<>();
    fields(tag -> tag == message(FIRST_FIELD) && nested(inner -> inner == message(FIRST_FIELD) && entry(features)));
    return features;
  }

  private boolean entry(Map<String, Feature> features) throws IOException {
    String[] key = {""};
    Feature[] value = {new Feature.Empty()};
    nested(tag -> {
      if (tag == message(KEY)) {
        key[0] = in.readStringRequireUtf8();
      } else if (tag == message(VALUE)) {
        value[0] = feature(value[0]);
      } else {
        return false;
      }
      return true;
    });
    features.put(key[0], value[0]);
    return true;
  }

  private Feature feature(Feature before) throws IOException {
    Feature[] feature = {before};
    nested(tag -> {
      switch (WireFormat.getTagFieldNumber(tag)) {
        case BYTES_LIST -> feature[0] = bytes(tag, feature[0]);
        case FLOAT_LIST -> feature[0] = floats(tag, feature[0]);
        case INT64_LIST -> feature[0] = integers(tag, feature[0]);
        default -> {
          return false;
        }
      }
      return true;
    });
    return feature[0];
  }

  private Feature bytes(int tag, Feature before) throws IOException {
    requireMessage(tag);
    List<byte[]> values = new ArrayList<>(before instanceof Feature.Bytes b ? Arrays.asList(b.values()) : List.of());
    nested(inner -> {
      if (inner != message(FIRST_FIELD)) return false;
      values.add(in.readByteArray());
      return true;
    });
    return new Feature.Bytes(values.toArray(byte[][]::new));
  }

  private Feature floats(int tag, Feature before) throws IOException {
    requireMessage(tag);
    float[][] values = {before instanceof Feature.Floats f ? f.values() : new float[0]};
    int[] count = {values[0].length};
    repeated(WireFormat.WIRETYPE_FIXED32, () -> {
      if (count[0] == values[0].length) values[0] = Arrays.copyOf(values[0], Math.max(16, 2 * count[0]));
      values[0][count[0]++] = in.readFloat();
    });
    return new Feature.Floats(Arrays.copyOf(values[0], count[0]));
  }

  private Feature integers(int tag, Feature before) throws IOException {
    requireMessage(tag);
    long[][] values = {before instanceof Feature.Int64s i ? i.values() : new long[0]};
    int[] count = {values[0].length};
    repeated(WireFormat.WIRETYPE_VARINT, () -> {
      if (count[0] == values[0].length) values[0] = Arrays.copyOf(values[0], Math.max(16, 2 * count[0]));
      values[0][count[0]++] = in.readInt64();
    });
    return new Feature.Int64s(Arrays.copyOf(values[0], count[0]));
  }

  /** Reads one element. */
  @FunctionalInterface
  private interface Element {
    void read() throws IOException;
  }

  /** The field {@code 1: repeated} of a list, packed or one by one. */
  private void repeated(int wireType, Element element) throws IOException {
    nested(tag -> {
      if (tag == message(FIRST_FIELD)) {
        int end = in.pushLimit(in.readRawVarint32());
        while (in.getBytesUntilLimit() > 0) element.read();
        in.popLimit(end);
        return true;
      }
      if (tag != (FIRST_FIELD << 3 | wireType)) return false;
      element.read();
      return true;
    });
  }

  /** A message with its length before it. */
  private boolean nested(Field field) throws IOException {
    int end = in.pushLimit(in.readRawVarint32());
    fields(field);
    in.popLimit(end);
    return true;
  }

  private void fields(Field field) throws IOException {
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      if (!field.read(tag) && !in.skipField(tag)) {
        throw new InvalidProtocolBufferException("an end without a beginning");
      }
    }
    if (!in.isAtEnd()) throw new InvalidProtocolBufferException("a message ends early");
  }

  private static void requireMessage(int tag) throws IOException {
    if (WireFormat.getTagWireType(tag) != WireFormat.WIRETYPE_LENGTH_DELIMITED) {
      throw new InvalidProtocolBufferException("a list of values is no message");
    }
  }

  private static int message(int field) {
    return field << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;
  }
}
