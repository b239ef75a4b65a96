package org.dyr.io;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.ShapeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafeTensorsFileTest {
  @TempDir Path directory;

  /** A file of that header and those bytes. */
  static byte[] bytes(String header, byte... data) {
    byte[] json = header.getBytes(UTF_8);
    return ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length).put(json).put(data).array();
  }

  /** A header of one tensor named t. */
  private static String one(String dtype, String shape, String offsets) {
    return "{\"t\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}}".formatted(dtype, shape, offsets);
  }

  private Path file(byte[] content) throws IOException {
    return Files.write(directory.resolve("f.safetensors"), content);
  }

  private SafeTensorsFile open(String header, byte... data) throws IOException {
    return SafeTensorsFile.open(file(bytes(header, data)));
  }

  private String refused(byte[] content) throws IOException {
    Path path = file(content);
    String message = assertThrows(SafeTensorsException.class, () -> SafeTensorsFile.open(path)).getMessage();
    assertTrue(message.startsWith(path.toString()), message);
    return message;
  }

  private void refused(String header, int dataBytes, String expected) throws IOException {
    String message = refused(bytes(header, new byte[dataBytes]));
    assertTrue(message.contains(expected), message);
  }

  @Test
  void goldenFile() throws IOException {
    byte[] golden = HexFormat.of().parseHex("4000000000000000"
        + "7b2277223a7b226474797065223a22463332222c227368617065223a5b322c315d2c" // {"w":{"dtype":"F32","shape":[2,1],
        + "22646174615f6f666673657473223a5b302c385d7d7d2020202020202020"          // "data_offsets":[0,8]}} and blanks
        + "0000c03f000010c0");                                                    // 1.5, -2.25
    try (SafeTensorsFile f = SafeTensorsFile.open(file(golden)); Arena arena = Arena.ofConfined()) {
      assertEquals(List.of("w"), f.names());
      assertEquals(new SafeTensorsFile.Entry("w", "F32", List.of(2L, 1L), 0, 8), f.entry("w"));
      assertEquals(Shape.of(2, 1), f.entry("w").shape());
      assertEquals(Map.of(), f.metadata());
      MemorySegment to = arena.allocate(8);
      f.copy("w", to, DType.F32);
      assertArrayEquals(new float[] {1.5f, -2.25f}, to.toArray(ValueLayout.JAVA_FLOAT));
    }
  }

  @Test
  void noTensorsScalarsAndEmptyTensorsAreLegal() throws IOException {
    try (SafeTensorsFile f = open("{}")) {
      assertEquals(List.of(), f.names());
    }
    try (SafeTensorsFile f = open("{\"__metadata__\":{\"format\":\"pt\",\"é\":\"\\u00e9\"}}  \n")) {
      assertEquals(Map.of("format", "pt", "é", "é"), f.metadata());
    }
    try (SafeTensorsFile f = open(one("F32", "[3,0,9223372036854775807]", "[0,0]"))) {
      assertEquals(0, f.segment("t").byteSize());
      f.copy("t", MemorySegment.ofArray(new byte[0]), DType.F64);
    }
    try (SafeTensorsFile f = open(one("I32", "[]", "[0,4]"), (byte) 7, (byte) 0, (byte) 0, (byte) 0)) {
      assertEquals(Shape.of(1), f.entry("t").shape());
      assertEquals(1, f.entry("t").elements());
    }
  }

  @Test
  void dataMayLieInAnotherOrderThanTheHeader() throws IOException {
    String header = "{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
        + "\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
        + "\"a\":{\"shape\":[1],\"data_offsets\":[0,1],\"dtype\":\"I8\"}}";
    try (SafeTensorsFile f = open(header, (byte) 1, (byte) 2, (byte) 3)) {
      assertEquals(List.of("b", "e", "a"), f.names());
      assertArrayEquals(new byte[] {2, 3}, f.segment("b").toArray(ValueLayout.JAVA_BYTE));
      assertArrayEquals(new byte[] {1}, f.segment("a").toArray(ValueLayout.JAVA_BYTE));
      assertTrue(f.segment("a").isReadOnly());
    }
  }

  @ParameterizedTest
  @EnumSource(StoredType.class)
  void everyTypeIsListedAndOnlySomeAreNumbers(StoredType type) throws IOException {
    int bytes = 4 * type.bits / 8;
    try (SafeTensorsFile f = open(one(type.name(), "[4]", "[0,%s]".formatted(bytes)), new byte[bytes])) {
      assertEquals(type.name(), f.entry("t").dtype());
      assertEquals(bytes, f.segment("t").byteSize());
      for (DType as : DType.values()) {
        MemorySegment to = MemorySegment.ofArray(new byte[4 * as.bytes()]);
        boolean number = List.of("F16", "BF16", "F32", "F64").contains(type.name());
        boolean read = type.name().equals(as.name()) || number && as.isFloating()
            || type == StoredType.I64 && as == DType.I32;
        if (read) {
          f.copy("t", to, as);
          assertEquals(-1, to.mismatch(MemorySegment.ofArray(new byte[4 * as.bytes()])));
        } else {
          String message = assertThrows(SafeTensorsException.class, () -> f.copy("t", to, as)).getMessage();
          String expected = "tensor \"t\" is stored as %s, which is not read as %s".formatted(type, as);
          assertTrue(message.endsWith(expected), message);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({ // stored type, its bits in order of value, the value
      "BF16, 3f80, 1", "BF16, 0001, 0x1p-133", "BF16, ff80, -Infinity", "BF16, 7fc1, NaN", "BF16, 8000, -0.0",
      "F16, 3c00, 1", "F16, 0001, 0x1p-24", "F16, fc00, -Infinity", "F16, 7e01, NaN", "F16, 83ff, -0x1.ff8p-15",
      "F32, 3dcccccd, 0x1.99999ap-4", "F32, 00000001, 0x1p-149", "F32, 7f800000, Infinity", "F32, 7fc00000, NaN",
      "F64, 3ff0000000000000, 1", "F64, bff8000000000000, -1.5", "F64, 7ff8000000000000, NaN",
  })
  void valuesAsFloatAndDouble(String type, String bits, double value) throws IOException {
    byte[] big = HexFormat.of().parseHex("00" + bits); // one byte before it, so that every address is odd
    byte[] data = new byte[1 + 3 * (big.length - 1)];
    for (int i = 1; i < data.length; i++) data[i] = big[big.length - 1 - (i - 1) % (big.length - 1)];
    int size = big.length - 1;
    String header = "{\"odd\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        + "\"t\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[1,%s]}}".formatted(type, 1 + 3 * size);
    try (SafeTensorsFile f = open(header, data)) {
      double[] doubles = new double[3];
      float[] floats = new float[3];
      f.copy("t", MemorySegment.ofArray(doubles), DType.F64);
      f.copy("t", MemorySegment.ofArray(floats), DType.F32);
      for (int i = 0; i < 3; i++) {
        assertEquals(value, doubles[i]);
        assertEquals((float) value, floats[i]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({ // stored type, its bits in order of value, those of bf16 and of fp16
      "F32, 3f800000, 3f80, 3c00", "F32, 80000000, 8000, 8000", "F32, ff800000, ff80, fc00",
      "F32, 3f808000, 3f80, 3c04", "F32, 3f818000, 3f82, 3c0c", "F32, 3f808001, 3f81, 3c04", // to even, and beyond half
      "F32, 477fe000, 4780, 7bff", "F32, 477ff000, 4780, 7c00", "F32, 7f7fffff, 7f80, 7c00",
      "F32, 33800000, 3380, 0001", "F32, 33000000, 3300, 0000", "F32, 00018000, 0002, 0000", // denormal
      "F32, 7fc00000, 7fc0, 7e00", "F32, ffc00000, ffc0, fe00",
      "F64, 3ff0000000000000, 3f80, 3c00", "F64, 3ff0100000000001, 3f80, 3c04", // by way of F32
      "F64, 7ff0000000000000, 7f80, 7c00", "F64, fff8000000000000, ffc0, fe00",
      "F16, 3c00, 3f80, 3c00", "F16, 3c0c, 3f82, 3c0c", "F16, fc00, ff80, fc00", "F16, 0001, 3380, 0001",
      "BF16, 3f80, 3f80, 3c00", "BF16, 4780, 4780, 7c00", "BF16, 3380, 3380, 0001", "BF16, ffc0, ffc0, fe00",
  })
  void valuesInSixteenBits(String type, String bits, String bf16, String f16) throws IOException {
    int n = 37; // vectors and what is left over
    byte[] big = HexFormat.of().parseHex(bits);
    byte[] data = new byte[n * big.length];
    for (int i = 0; i < data.length; i++) data[i] = big[big.length - 1 - i % big.length];
    try (SafeTensorsFile f = open(one(type, "[%s]".formatted(n), "[0,%s]".formatted(data.length)), data)) {
      short[] halves = new short[n];
      for (DType as : List.of(DType.BF16, DType.F16)) {
        f.copy("t", MemorySegment.ofArray(halves), as);
        String expected = as == DType.BF16 ? bf16 : f16;
        for (short half : halves) assertEquals(expected, HexFormat.of().toHexDigits(half), as.name());
      }
    }
  }

  @Test
  void doublesRoundToFloats() throws IOException {
    byte[] data = new byte[24];
    ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).putDouble(0.1).putDouble(1e300).putDouble(1 + 0x1p-24);
    float[] floats = new float[3];
    try (SafeTensorsFile f = open(one("F64", "[3]", "[0,24]"), data)) {
      f.copy("t", MemorySegment.ofArray(floats), DType.F32);
    }
    assertArrayEquals(new float[] {0.1f, Float.POSITIVE_INFINITY, 1}, floats);
  }

  @Test
  void longsMustFitIntoInts() throws IOException {
    byte[] data = new byte[16];
    ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).putLong(Integer.MIN_VALUE).putLong(Integer.MAX_VALUE);
    int[] ints = new int[2];
    try (SafeTensorsFile f = open(one("I64", "[2]", "[0,16]"), data)) {
      f.copy("t", MemorySegment.ofArray(ints), DType.I32);
    }
    assertArrayEquals(new int[] {Integer.MIN_VALUE, Integer.MAX_VALUE}, ints);
    ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).putLong(8, 1L << 31);
    try (SafeTensorsFile f = open(one("I64", "[2]", "[0,16]"), data)) {
      String message = assertThrows(SafeTensorsException.class,
          () -> f.copy("t", MemorySegment.ofArray(ints), DType.I32)).getMessage();
      assertTrue(message.endsWith("tensor \"t\": element 1 is 2147483648, beyond I32"), message);
    }
  }

  @Test
  void misuseIsNamed() throws IOException {
    SafeTensorsFile f = open(one("F32", "[1]", "[0,4]"), new byte[4]);
    assertThrows(ShapeException.class, () -> f.copy("t", MemorySegment.ofArray(new byte[5]), DType.F32));
    assertThrows(IllegalArgumentException.class, () -> f.copy("t", f.segment("t"), DType.F32)); // read-only
    String message = assertThrows(SafeTensorsException.class, () -> f.entry("u")).getMessage();
    assertTrue(message.endsWith("no tensor \"u\" among its 1"), message);
    assertFalse(f.contains("u"));
    MemorySegment segment = f.segment("t");
    f.close();
    f.close();
    assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
    SafeTensorsFile.Entry large = new SafeTensorsFile.Entry("x", "U8", List.of(1L << 31), 0, 1L << 31);
    assertThrows(SafeTensorsException.class, large::shape);
  }

  @Test
  void notAFile() {
    assertTrue(assertThrows(SafeTensorsException.class, () -> SafeTensorsFile.open(directory)).getMessage()
        .endsWith("not a regular file"));
    assertTrue(assertThrows(SafeTensorsException.class, () -> SafeTensorsFile.open(directory.resolve("no")))
        .getMessage().endsWith("no such file"));
  }

  @Test
  void lengths() throws IOException {
    byte[] good = bytes(one("F32", "[1]", "[0,4]"), new byte[4]);
    SafeTensorsFile.open(file(good)).close();
    for (int n = 0; n < good.length; n++) refused(Arrays.copyOf(good, n));
    assertTrue(refused(Arrays.copyOf(good, good.length + 3)).contains("the last 3 bytes belong to no tensor"));
    for (long length : new long[] {Header.MAX_BYTES + 1L, 1L << 32, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
      assertTrue(refused(good).contains("is %s; the format allows".formatted(Long.toUnsignedString(length))));
    }
    ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).putLong(Header.MAX_BYTES); // allowed, but not there
    assertTrue(refused(good).contains("cut short"));
    ByteBuffer.wrap(good).putLong(0);
    assertTrue(refused(good).contains("begin with '{'"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"[]", " {}", "\"x\"", "null", "1"})
  void headerMustBeginWithABrace(String header) throws IOException {
    refused(header, 0, "must begin with '{'");
  }

  @Test
  void headerMustBeJson() throws IOException {
    refused("{} x", 0, "header, byte 3: text after the end");
    refused("{\"t\":" + "[".repeat(100_000), 0, "nested deeper");
    refused("{\"a\":" + "{\"a\":".repeat(100_000), 0, "nested deeper");
    refused("{\u0000}", 0, "header, byte 1");
    String t = one("F32", "[1]", "[0,4]").substring(1).replace("}}", "}");
    refused("{" + t + "," + t + "}", 4, "key \"t\" occurs twice");
    byte[] bad = bytes("{\"__metadata__\":{\"a\":\"?\"}}");
    for (int i = 0; i < bad.length; i++) if (bad[i] == '?') bad[i] = (byte) 0xff;
    assertTrue(refused(bad).contains("not valid UTF-8"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1", "[]", "\"x\"", "null", "{\"a\":1}", "{\"a\":null}", "{\"a\":{}}"})
  void metadataMustBeStrings(String metadata) throws IOException {
    refused("{\"__metadata__\":" + metadata + "}", 0, "__metadata__");
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "1", "[]", "null", "\"x\"", "{}",
      "{\"dtype\":\"U8\",\"shape\":[1]}", "{\"dtype\":\"U8\",\"data_offsets\":[0,1]}",
      "{\"shape\":[1],\"data_offsets\":[0,1]}",
      "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":1}",
      "{\"dtype\":\"U8\",\"shape\":[1],\"offsets\":[0,1]}",
      "{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}", "{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,1]}",
      "{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}", "{\"dtype\":\"U8\",\"shape\":{},\"data_offsets\":[0,1]}",
      "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":1}", "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1]}",
      "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}",
  })
  void tensorMustHaveExactlyThreeFields(String tensor) throws IOException {
    refused("{\"t\":" + tensor + "}", 1, "tensor \"t\" must be an object of exactly dtype");
  }

  @ParameterizedTest
  @CsvSource(delimiter = ';', quoteCharacter = '`', value = {
      "X8;   [1];        [0,1];   is not one of the format's",
      "u8;   [1];        [0,1];   is not one of the format's",
      "U8;   [-1];       [0,1];   must hold integers of 0 or more, not \"-1\"",
      "U8;   [1.0];      [0,1];   must hold integers of 0 or more, not \"1.0\"",
      "U8;   [1e0];      [0,1];   must hold integers of 0 or more",
      "U8;   [\"1\"];    [0,1];   must hold integers of 0 or more",
      "U8;   [null];     [0,1];   must hold integers of 0 or more",
      "U8;   [[1]];      [0,1];   must hold integers of 0 or more",
      "U8;   [99999999999999999999]; [0,1]; does not fit into 64 bits",
      "U8;   [1];        [-1,0];  must hold integers of 0 or more, not \"-1\"",
      "U8;   [1];        [0,1.0]; must hold integers of 0 or more",
      "U8;   [1];        [1,0];   do not lie within the 1 bytes",
      "U8;   [2];        [0,2];   do not lie within the 1 bytes",
      "U8;   [1];        [1,2];   do not lie within the 1 bytes",
      "U8;   [1];        [0,9223372036854775807]; do not lie within the 1 bytes",
      "U8;   [0];        [0,1];   takes 0 bytes, but data_offsets hold 1",
      "U8;   [2];        [0,1];   takes 2 bytes, but data_offsets hold 1",
      "U8;   [];         [0,0];   takes 1 bytes, but data_offsets hold 0",
      "U8;   [4294967296,4294967296]; [0,1]; more elements than a file can hold",
      "U8;   [9223372036854775807,2]; [0,1]; more elements than a file can hold",
      "F64;  [2305843009213693952];   [0,1]; more elements than a file can hold",
      "F4;   [3];        [0,1];   does not fill whole bytes",
  })
  void typesShapesAndRanges(String dtype, String shape, String offsets, String expected) throws IOException {
    refused(one(dtype, shape, offsets), 1, expected);
  }

  @ParameterizedTest
  @CsvSource(delimiter = ';', value = {
      "[0,4]; [3,7]; 7; inside tensor",
      "[0,4]; [0,4]; 4; inside tensor",
      "[2,6]; [0,4]; 6; inside tensor",
      "[0,4]; [5,9]; 9; bytes 4 to 5 of the data",
      "[1,5]; [5,9]; 9; bytes 0 to 1 of the data",
      "[4,8]; [0,4]; 9; the last 1 bytes belong to no tensor",
  })
  void tensorsMustCoverTheDataOnce(String a, String b, int dataBytes, String expected) throws IOException {
    String header = ("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":%s},"
        + "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":%s}}").formatted(a, b);
    refused(header, dataBytes, expected);
  }

  @Test
  void aHoleBesideAnEmptyTensorIsSeen() throws IOException {
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
        + "\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]}}", 4, "inside tensor \"a\"");
    refused(one("U8", "[0]", "[1,1]"), 1, "bytes 0 to 1 of the data");
  }

  @Test
  void namesFromTheFileAreMadeFitForMessages() throws IOException {
    String message = refused(bytes("{\"\\n\\u001b[31m" + "x".repeat(5000) + "\":1}"));
    assertTrue(message.length() < 400 && message.chars().noneMatch(Character::isISOControl), message);
  }
}
