package org.dyr.formats.tfrecord;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32C;
import java.util.zip.GZIPOutputStream;
import org.dyr.formats.FormatException;
import org.dyr.formats.SharedSamples;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TfRecordTest {
  @TempDir private Path folder;

  @Test void samplesReadAsExpected() throws IOException {
    TfRecordInspector inspector = new TfRecordInspector();
    for (JsonNode expected : SharedSamples.expected("tfrecord.json")) {
      Path file = SharedSamples.folder().resolve(expected.get("file").asText());
      assertTrue(inspector.reads(file));
      JsonNode got = SharedSamples.reread(inspector.inspect(file, Integer.MAX_VALUE));
      assertEquals(expected.get("records"), got.get("records"));
      assertEquals(expected.get("records").size(), got.get("record_count").asInt());
      assertEquals(expected.get("size"), got.get("size"));
    }
  }

  // --- a writer of a few lines, for the tests ---

  private static byte[] field(int number, byte[]... parts) throws IOException {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    for (byte[] part : parts) content.write(part);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(number << 3 | 2);
    out.write(varint(content.size()));
    out.write(content.toByteArray());
    return out.toByteArray();
  }

  private static byte[] varint(long value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (; (value & ~0x7fL) != 0; value >>>= 7) out.write((int) (value & 0x7f | 0x80));
    out.write((int) value);
    return out.toByteArray();
  }

  private static byte[] feature(String name, byte[] list) throws IOException {
    return field(1, field(1, field(1, name.getBytes(StandardCharsets.UTF_8)), field(2, list)));
  }

  private static int masked(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    int value = (int) crc.getValue();
    return (value >>> 15 | value << 17) + 0xa282ead8;
  }

  private static byte[] record(byte[] data) {
    byte[] length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(data.length).array();
    return ByteBuffer.allocate(data.length + 16).order(ByteOrder.LITTLE_ENDIAN).put(length).putInt(masked(length))
        .put(data).putInt(masked(data)).array();
  }

  private Path write(byte[]... records) throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] record : records) all.write(record);
    return Files.write(folder.resolve("x.tfrecord"), all.toByteArray());
  }

  private static FormatException refused(Path file) {
    return assertThrows(FormatException.class, () -> new TfRecordInspector().inspect(file, 5));
  }

  private static byte[] example() throws IOException {
    byte[] plainFloat = ByteBuffer.allocate(5).order(ByteOrder.LITTLE_ENDIAN).put((byte) (1 << 3 | 5)).putFloat(1.5f)
        .array();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(feature("packed", field(3, field(1, varint(-1), varint(300)))));
    out.write(feature("plain", field(3, new byte[] {1 << 3, 5, 1 << 3, 6})));
    out.write(feature("float", field(2, plainFloat)));
    out.write(feature("bytes", field(1, field(1, new byte[] {(byte) 0xff}), field(1, new byte[0]))));
    out.write(feature("none", new byte[0]));
    return out.toByteArray();
  }

  @Test void everyFormOfAFeature() throws IOException {
    Path file = write(record(example()), record(new byte[0]));
    try (TfRecordReader reader = TfRecordReader.open(file)) {
      Map<String, Feature> example = reader.nextExample();
      assertEquals(5, example.size());
      assertArrayEquals(new long[] {-1, 300}, ((Feature.Int64s) example.get("packed")).values());
      assertArrayEquals(new long[] {5, 6}, ((Feature.Int64s) example.get("plain")).values());
      assertArrayEquals(new float[] {1.5f}, ((Feature.Floats) example.get("float")).values());
      assertArrayEquals(new byte[][] {{(byte) 0xff}, {}}, ((Feature.Bytes) example.get("bytes")).values());
      assertInstanceOf(Feature.Empty.class, example.get("none"));
      assertTrue(reader.nextExample().isEmpty());
      assertEquals(null, reader.nextExample());
    }
    assertEquals("ff", new TfRecordInspector().inspect(file, 1).at("/records/0/bytes/values/0/hex").asText());
  }

  @Test void wrongChecksumsAndLengthsNameTheRecord() throws IOException {
    byte[] good = record(example());
    for (int at : new int[] {0, 9, 20, good.length - 1}) {
      byte[] bad = good.clone();
      bad[at] ^= 1;
      FormatException e = refused(write(good, bad));
      assertTrue(e.getMessage().contains("record 1") && e.getMessage().contains("checksum"), e.getMessage());
    }
    for (long length : new long[] {1L << 40, -1, Integer.MAX_VALUE, good.length}) {
      byte[] bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array();
      byte[] header = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN).put(bytes).putInt(masked(bytes)).array();
      FormatException e = refused(write(header));
      assertTrue(e.getMessage().contains("record 0") && e.getMessage().contains("bytes"), e.getMessage());
    }
    for (int length = 1; length < good.length; length += 7) {
      assertTrue(refused(write(Arrays.copyOf(good, length))).getMessage().contains("record 0"));
    }
  }

  private static byte[] gzip(byte[] plain) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(plain);
    }
    return out.toByteArray();
  }

  @Test void gzippedFilesAreReadAlike() throws IOException {
    byte[] plain = Files.readAllBytes(write(record(example()), record(example())));
    byte[] packed = gzip(plain);
    TfRecordInspector inspector = new TfRecordInspector();
    JsonNode expected = inspector.inspect(write(plain), 5).get("records");
    Path file = Files.write(folder.resolve("packed"), packed);
    assertTrue(inspector.reads(file));
    assertEquals(expected, inspector.inspect(file, 5).get("records"));
    Files.write(file, gzip(new byte[0]));
    assertEquals(0, inspector.inspect(file, 5).get("record_count").asInt());
    for (int length = 3; length < packed.length; length += 5) {
      refused(Files.write(file, Arrays.copyOf(packed, length)));
    }
    refused(Files.write(file, gzip(Arrays.copyOf(plain, plain.length - 1))));
    Random random = new Random(3);
    for (int i = 0; i < 500; i++) {
      byte[] bad = packed.clone();
      bad[3 + random.nextInt(bad.length - 3)] ^= (byte) (1 + random.nextInt(255));
      try { // a byte of the gzip header says nothing of the content
        assertEquals(expected, inspector.inspect(Files.write(file, bad), 5).get("records"));
      } catch (FormatException e) {
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
      }
    }
    assertFalse(inspector.reads(Files.write(file, gzip("some text of a file".getBytes(StandardCharsets.UTF_8)))));
  }

  @Test void noDamagedExampleIsMoreThanAFormatException() throws IOException {
    byte[] good = example();
    Random random = new Random(11);
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
      byte[] bad = good.clone();
      bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
      try {
        new TfRecordInspector().inspect(write(record(bad)), 1);
      } catch (FormatException e) {
        refused++;
        assertTrue(e.getMessage().contains("record 0"), e.getMessage());
      }
    }
    assertTrue(refused > 500, refused + " refused");
  }

  @Test void aFileIsKnownByItsFirstChecksum() throws IOException {
    Path file = Files.write(folder.resolve("noname"), record(example()));
    assertTrue(new TfRecordInspector().reads(file));
    assertFalse(new TfRecordInspector().reads(Files.writeString(folder.resolve("text"), "some text of a file")));
  }
}
