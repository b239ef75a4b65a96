package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessagePackException;
import org.msgpack.core.MessagePacker;
import org.msgpack.core.MessageUnpacker;

/** MessagePack maps as JSON trees. Lengths are held against the bytes there are before anything is made of them. */
final class MessagePackJson {
  private static final int DEEPEST = 16;

  private MessagePackJson() {}

  /** Reads a map that takes up the whole of {@code body}. */
  static ObjectNode read(byte[] body) throws Malformed {
    try (MessageUnpacker in = MessagePack.newDefaultUnpacker(body)) {
      if (!in.hasNext()) throw new Malformed("a record without content");
      JsonNode value = value(in, body.length, 0);
      if (!(value instanceof ObjectNode map)) throw new Malformed("a record that is no MessagePack map");
      if (in.getTotalReadBytes() != body.length) {
        throw new Malformed(body.length - in.getTotalReadBytes() + " bytes follow the MessagePack map of a record");
      }
      return map;
    } catch (MessagePackException | IOException e) {
      throw new Malformed("a record that is no valid MessagePack: " + e, e);
    }
  }

  private static JsonNode value(MessageUnpacker in, int size, int depth) throws IOException, Malformed {
    if (depth > DEEPEST) throw new Malformed("MessagePack nested more than " + DEEPEST + " deep");
    JsonNodeFactory make = JsonNodeFactory.instance;
    switch (in.getNextFormat().getValueType()) {
      case NIL -> {
        in.unpackNil();
        return make.nullNode();
      }
      case BOOLEAN -> {
        return make.booleanNode(in.unpackBoolean());
      }
      case INTEGER -> {
        return make.numberNode(in.unpackLong());
      }
      case FLOAT -> {
        return make.numberNode(in.unpackDouble());
      }
      case STRING -> {
        return make.textNode(text(in, size));
      }
      case ARRAY -> {
        int count = in.unpackArrayHeader();
        require(count, in, size, 1);
        ArrayNode array = make.arrayNode(count);
        for (int i = 0; i < count; i++) array.add(value(in, size, depth + 1));
        return array;
      }
      case MAP -> {
        int count = in.unpackMapHeader();
        require(count, in, size, 2);
        ObjectNode map = make.objectNode();
        for (int i = 0; i < count; i++) {
          String key = text(in, size);
          if (map.has(key)) throw new Malformed("a MessagePack map has \"" + key + "\" twice");
          map.set(key, value(in, size, depth + 1));
        }
        return map;
      }
      default -> throw new Malformed("MessagePack of type " + in.getNextFormat() + ", which records do not have");
    }
  }

  private static String text(MessageUnpacker in, int size) throws IOException, Malformed {
    int length = in.unpackRawStringHeader();
    require(length, in, size, 1);
    byte[] bytes = in.readPayload(length);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new Malformed("a string that is not valid UTF-8", e);
    }
  }

  private static void require(int count, MessageUnpacker in, int size, int bytesEach) throws Malformed {
    if (count < 0 || (long) count * bytesEach > size - in.getTotalReadBytes()) {
      throw new Malformed("a MessagePack length of " + Integer.toUnsignedString(count) + ", with "
          + (size - in.getTotalReadBytes()) + " bytes left in the record");
    }
  }

  /** A map of the given columns, in their order. */
  static byte[] writeLegacy(Row row, List<Column> columns) {
    return pack(out -> {
      out.packMapHeader(columns.size());
      for (Column column : columns) {
        out.packString(column.name());
        switch (row.cells().get(column.name())) {
          case Cell.Legacy legacy -> write(legacy.value(), out);
          case Cell.Text text -> out.packString(text.value());
          case Cell.Whole whole -> out.packLong(whole.value());
          case Cell.Real real -> out.packDouble(real.value());
          case null, default -> throw new IllegalArgumentException("the row has no fitting " + column.name());
        }
      }
    });
  }

  private static void write(JsonNode value, MessagePacker out) throws IOException {
    if (value.isArray()) {
      out.packArrayHeader(value.size());
      for (JsonNode element : value) write(element, out);
    } else if (value.isIntegralNumber() && value.canConvertToLong()) {
      out.packLong(value.longValue());
    } else if (value.isNumber()) {
      out.packDouble(value.doubleValue());
    } else {
      throw new IllegalArgumentException(value + " is neither a number nor a list of numbers");
    }
  }

  /** Puts something into MessagePack. */
  @FunctionalInterface
  interface Packing {
    void to(MessagePacker out) throws IOException;
  }

  static byte[] pack(Packing what) {
    try (MessageBufferPacker out = MessagePack.newDefaultBufferPacker()) {
      what.to(out);
      return out.toByteArray();
    } catch (IOException e) {
      throw new IllegalStateException("memory does not fail as a file does", e);
    }
  }
}
