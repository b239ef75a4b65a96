package org.dyr.formats.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.dyr.formats.FormatException;
import org.dyr.formats.checkpoint.MindSporeCheckpoint.Parameter;
import org.dyr.formats.checkpoint.MindSporeCheckpointWriter.Scalars;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MindSporeCheckpointTest {
  private static final byte[] FOUR = {1, 2, 3, 4};
  private static final byte[] EIGHT = {1, 2, 3, 4, 5, 6, 7, 8};

  @TempDir Path folder;

  private Path file(byte[] content) throws IOException {
    return Files.write(folder.resolve("a.ckpt"), content);
  }

  private Path file(Wire wire) throws IOException {
    return file(wire.toByteArray());
  }

  private static byte[] content(StoredTensor t) throws IOException {
    try (InputStream in = t.content().open()) {
      return in.readAllBytes();
    }
  }

  private static StoredTensor tensor(String name, ElementType type, byte[] content, Long... dims) {
    return new StoredTensor(name, type, List.of(dims), content.length, () -> new java.io.ByteArrayInputStream(content));
  }

  private String refusal(byte[] content) throws IOException {
    Path path = file(content);
    String said = assertThrows(FormatException.class, () -> MindSporeCheckpoint.open(path).close()).getMessage();
    assertTrue(said.startsWith(path.toString()), said);
    return said;
  }

  private void refused(String why, byte[] content) throws IOException {
    String said = refusal(content);
    assertTrue(said.contains(why), said);
  }

  @ParameterizedTest
  @ValueSource(strings = {"two_linears.ckpt", "lenet_with_optimizer_v111.ckpt", "golden_moe_3d.ckpt"})
  void samplesAreWrittenAgainByteForByte(String name) throws IOException {
    Path sample = Samples.path("samples/ckpt/" + name);
    Path copy = folder.resolve("copy.ckpt");
    try (MindSporeCheckpoint checkpoint = MindSporeCheckpoint.open(sample)) {
      assertFalse(checkpoint.hasChecksum());
      MindSporeCheckpointWriter.write(copy, checkpoint.tensors(), Scalars.ZERO, false);
    }
    assertEquals(-1, Files.mismatch(sample, copy));
  }

  @Test void scalarsHaveTwoForms() throws IOException {
    Path path = file(new Wire().record("old", "Float32", FOUR, 0).record("new", "Int32", FOUR)
        .record("one", "Int32", FOUR, 1).record("none", "Int32", new byte[0], 0)
        .record("none2", "Int8", new byte[0], 2, 0));
    try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
      assertEquals(List.of(List.of(0L), List.of(), List.of(1L), List.of(0L), List.of(2L, 0L)),
          c.parameters().stream().map(Parameter::dimsInFile).toList());
      assertEquals(List.of(List.of(), List.of(), List.of(1L), List.of(0L), List.of(2L, 0L)),
          c.tensors().stream().map(StoredTensor::dims).toList());
      assertArrayEquals(FOUR, content(c.tensors().getFirst()));
    }
  }

  @Test void bothFormsOfScalarsAreWritten() throws IOException {
    List<StoredTensor> one = List.of(tensor("step", ElementType.INT32, FOUR));
    Path path = folder.resolve("s.ckpt");
    MindSporeCheckpointWriter.write(path, one, Scalars.ZERO, false);
    assertArrayEquals(new Wire().record("step", "Int32", FOUR, 0).toByteArray(), Files.readAllBytes(path));
    MindSporeCheckpointWriter.write(path, one, Scalars.NO_DIMS, false);
    assertArrayEquals(new Wire().record("step", "Int32", FOUR).toByteArray(), Files.readAllBytes(path));
  }

  @Test void packedSizesFieldsInAnyOrderAndOneMessageAreRead() throws IOException {
    Wire packed = new Wire().bytes(0x1a, EIGHT).text(0x12, "Int16").bytes(0x0a, new Wire().varint(2).varint(2));
    Path path = file(new Wire().bytes(0x0a, new Wire().bytes(0x12, packed).text(0x0a, "späte Marke")));
    try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
      StoredTensor t = c.tensors().getFirst();
      assertEquals("späte Marke", t.name());
      assertEquals(List.of(2L, 2L), t.dims());
      assertArrayEquals(EIGHT, content(t));
    }
  }

  @Test void textsAndEveryTypeKeepTheirBytes() throws IOException {
    byte[] text = "größer".getBytes(Charset.forName("UTF-32LE"));
    Wire w = new Wire().record("text", "str", text, 0).record("quarters", "Int4", new byte[] {1, 2}, 3);
    List<String> types = List.of("Bool", "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64",
        "Float16",
        "BFloat16", "Float32", "Float64");
    int[] widths = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8};
    for (int i = 0; i < widths.length; i++) {
      byte[] random = new byte[6 * widths[i]];
      new Random(i).nextBytes(random);
      w.record(types.get(i), types.get(i), random, 3, 2);
    }
    Path path = file(w);
    Path copy = folder.resolve("copy.ckpt");
    try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
      assertArrayEquals(text, content(c.tensors().getFirst()));
      assertEquals(List.of(), c.tensors().getFirst().dims());
      MindSporeCheckpointWriter.write(copy, c.tensors(), Scalars.ZERO, false);
    }
    assertEquals(-1, Files.mismatch(path, copy));
  }

  @Test void slicesOfOneTagAreJoined() throws IOException {
    Path path = file(new Wire().record("a", "Int16", new byte[] {1, 2, 3, 4}, 3)
        .record("a", "Int16", new byte[] {5, 6}, 3)
        .record("b", "Int8", new byte[] {7}, 1));
    try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
      assertEquals(2, c.tensors().size());
      assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6}, content(c.tensors().getFirst()));
    }
  }

  @Test void largeTensorsAreWrittenInSlicesThatDifferByOneElement() throws IOException {
    byte[] bytes = new byte[22];
    new Random(1).nextBytes(bytes);
    Path path = folder.resolve("s.ckpt");
    MindSporeCheckpointWriter.write(path, List.of(tensor("a", ElementType.INT16, bytes, 11L)), Scalars.ZERO, false, 8);
    assertArrayEquals(new Wire().record("a", "Int16", Arrays.copyOfRange(bytes, 0, 8), 11)
        .record("a", "Int16", Arrays.copyOfRange(bytes, 8, 16), 11)
        .record("a", "Int16", Arrays.copyOfRange(bytes, 16, 22), 11).toByteArray(), Files.readAllBytes(path));
    try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
      assertArrayEquals(bytes, content(c.tensors().getFirst()));
    }
  }

  @Test void aChecksumIsWrittenAndVerified() throws IOException {
    Path path = folder.resolve("c.ckpt");
    MindSporeCheckpointWriter.write(path, List.of(tensor("a", ElementType.INT8, FOUR, 4L)), Scalars.ZERO, true);
    byte[] records = new Wire().record("a", "Int8", FOUR, 4).toByteArray();
    var crc = new java.util.zip.CRC32();
    crc.update(records);
    byte[] expected = ByteBuffer.allocate(records.length + 17).put(records)
        .put("crc_num".getBytes(StandardCharsets.US_ASCII))
        .putShort((short) 0).putInt(0).putInt((int) crc.getValue()).array();
    assertArrayEquals(expected, Files.readAllBytes(path));
    try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
      assertTrue(c.hasChecksum());
      assertArrayEquals(FOUR, content(c.tensors().getFirst()));
    }
    expected[records.length - 1] ^= 1;
    refused("checksum", expected);
    expected[records.length - 1] ^= 1;
    expected[records.length + 7] = 1; // the highest of the ten bytes
    refused("checksum", expected);
  }

  @Test @Timeout(60) void aFileOfMoreThanTwoGigabytesIsReadFromWhereItsBytesAre() throws IOException {
    long hole = 3L << 30; // no block of it is on the disk
    Path path = folder.resolve("large.ckpt");
    Wire tensor = new Wire().raw(0x08).varint(hole).text(0x12, "Int8").raw(0x1a).varint(hole);
    Wire value = new Wire().text(0x0a, "large").raw(0x12).varint(tensor.toByteArray().length + hole);
    byte[] head = new Wire().raw(0x0a).varint(value.toByteArray().length + tensor.toByteArray().length + hole)
        .toByteArray();
    try (RandomAccessFile out = new RandomAccessFile(path.toFile(), "rw")) {
      out.write(head);
      out.write(value.toByteArray());
      out.write(tensor.toByteArray());
      out.seek(out.getFilePointer() + hole);
      out.write(new Wire().record("small", "Int32", FOUR, 1).toByteArray());
    }
    try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
      assertEquals(hole, c.tensors().get(0).bytes());
      assertArrayEquals(FOUR, content(c.tensors().get(1)));
    }
  }

  static Stream<Arguments> foreign() {
    byte[] table = new byte[60];
    ByteBuffer.wrap(table).order(java.nio.ByteOrder.LITTLE_ENDIAN).putLong(52, 0xdb4775248b80fb57L);
    return Stream.of(
        Arguments.of("empty file", new byte[0]),
        Arguments.of("parallel strategy", new byte[] {0x08, 0x01, 0x12, 0x00}),
        Arguments.of("AES-GCM", new byte[] {(byte) 0xd8, 0x5e, 0x3a, 0x7f, 0, 0}),
        Arguments.of("AES-CBC", new byte[] {(byte) 0xd9, 0x5e, 0x3a, 0x7f, 0, 0}),
        Arguments.of("SM4-CBC", new byte[] {(byte) 0xda, 0x5e, 0x3a, 0x7f, 0, 0}),
        Arguments.of("PyTorch", new byte[] {'P', 'K', 3, 4, 0, 0}),
        Arguments.of("pickle", new byte[] {(byte) 0x80, 2, (byte) 0x8a, 0x0a}),
        Arguments.of("Keras", new byte[] {(byte) 0x89, 'H', 'D', 'F', 13, 10}),
        Arguments.of("TensorFlow", table),
        Arguments.of("TensorFlow's list", "model_checkpoint_path: \"m\"".getBytes(StandardCharsets.US_ASCII)),
        Arguments.of("safetensors", new byte[] {2, 0, 0, 0, 0, 0, 0, 0, '{', '}', 1}),
        Arguments.of("no MindSpore checkpoint", "whatever this is".getBytes(StandardCharsets.US_ASCII)),
        Arguments.of("no MindSpore checkpoint", new Wire().text(0x0a, "just text").toByteArray()));
  }

  @ParameterizedTest
  @MethodSource("foreign")
  void foreignFilesAreRefusedByName(String name, byte[] content) throws IOException {
    refused(name, content);
  }

  static Stream<Arguments> damaged() {
    Wire tensor = Wire.tensor("Int8", FOUR, 4);
    byte[] good = new Wire().record("a", tensor).toByteArray();
    return Stream.of(
        Arguments.of("is cut off", new byte[] {0x0a, (byte) 0x80}),
        Arguments.of("more than 64 bits", new Wire().raw(0x0a).raw(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)
            .toByteArray()),
        Arguments.of("should have 18446744073709551615 bytes", new Wire().raw(0x0a).varint(-1).raw(1, 2).toByteArray()),
        Arguments.of("should have 4611686018427387904 bytes", new Wire().raw(0x0a).varint(1L << 62).toByteArray()),
        Arguments.of("only 18 are left", Arrays.copyOf(good, good.length - 1)),
        Arguments.of("only records of field 1", new Wire().record("a", tensor).raw(0x12, 0).toByteArray()),
        Arguments.of("takes 20 bytes, but the file has 4", new Wire().record("a", "Float32", FOUR, 5).toByteArray()),
        Arguments.of("takes 4 bytes, but the file has 8", new Wire().record("a", "Float32", EIGHT, 0).toByteArray()),
        Arguments.of("more elements than", new Wire().record("a", "Float32", FOUR, 1L << 40, 1L << 40).toByteArray()),
        Arguments.of("a size is -1", new Wire().record("a", "Float32", FOUR, -1).toByteArray()),
        Arguments.of("more than 64 axes", new Wire().record("a", "Int8", FOUR, new long[65]).toByteArray()),
        Arguments.of("type \"Float31\" is not known", new Wire().record("a", "Float31", FOUR, 1).toByteArray()),
        Arguments.of("every character takes 4", new Wire().record("a", "str", new byte[6], 0).toByteArray()),
        Arguments.of("hash table", new Wire().bytes(0x0a, new Wire().text(0x0a, "a").text(0x1a, "")).toByteArray()),
        Arguments.of("without a parameter's name",
            new Wire().bytes(0x0a, new Wire().bytes(0x12, tensor)).toByteArray()),
        Arguments.of("without a tensor", new Wire().bytes(0x0a, new Wire().text(0x0a, "a")).toByteArray()),
        Arguments.of("without content", new Wire().record("a", new Wire().text(0x12, "Int8")).toByteArray()),
        Arguments.of("without type", new Wire().record("a", new Wire().text(0x1a, "1234")).toByteArray()),
        Arguments.of("no valid UTF-8", new Wire().bytes(0x0a, new Wire().raw(0x0a, 2, 0xc3, 0x28)).toByteArray()),
        Arguments.of("second parameter of that name",
            new Wire().record("a", tensor).record("b", tensor).record("a", tensor)
            .toByteArray()),
        Arguments.of("takes 4 bytes, but the file has 8",
            new Wire().record("a", tensor).record("a", tensor).toByteArray()),
        Arguments.of("a slice of", new Wire().record("a", tensor).record("a", "UInt8", FOUR, 4).toByteArray()));
  }

  @ParameterizedTest
  @MethodSource("damaged")
  void damagedFilesAreRefused(String why, byte[] content) throws IOException {
    refused(why, content);
  }

  @Test void everyCutAndEveryFlippedByteGivesAFileOrAFormatException() throws IOException {
    byte[] good = new Wire().record("abc", "Int16", EIGHT, 2, 2).record("s", "Float32", FOUR, 0).toByteArray();
    for (int i = 1; i < good.length; i++) {
      Path cut = file(Arrays.copyOf(good, i));
      try (MindSporeCheckpoint c = MindSporeCheckpoint.open(cut)) {
        assertEquals(new Wire().record("abc", "Int16", EIGHT, 2, 2).toByteArray().length, i);
        assertEquals(1, c.tensors().size());
      } catch (FormatException e) {
        assertTrue(e.getMessage().startsWith(cut.toString()), e.getMessage());
      }
    }
    for (int i = 0; i < good.length; i++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] flipped = good.clone();
        flipped[i] ^= (byte) (1 << bit);
        Path path = file(flipped);
        try (MindSporeCheckpoint c = MindSporeCheckpoint.open(path)) {
          for (StoredTensor t : c.tensors()) assertEquals(t.bytes(), content(t).length);
        } catch (FormatException e) {
          assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
        }
      }
    }
  }

  @Test void aMissingFileIsNamed() {
    Path path = folder.resolve("none.ckpt");
    assertEquals(path + ": no such file",
        assertThrows(FormatException.class, () -> MindSporeCheckpoint.open(path)).getMessage());
  }

  @Test void whatCannotBeWrittenLeavesTheOldFile() throws IOException {
    Path path = Files.writeString(folder.resolve("old.ckpt"), "old");
    StoredTensor good = tensor("a", ElementType.INT8, FOUR, 4L);
    StoredTensor shorter = new StoredTensor("b", ElementType.INT8, List.of(5L), 5, good.content());
    StoredTensor longer = new StoredTensor("b", ElementType.INT8, List.of(3L), 3, good.content());
    StoredTensor failing = new StoredTensor("b", ElementType.INT8, List.of(3L), 3, () -> {
      throw new IOException("no disk");
    });
    for (List<StoredTensor> bad : List.of(List.<StoredTensor>of(), List.of(good, good), List.of(good, shorter),
        List.of(good, longer), List.of(tensor("c", ElementType.COMPLEX64, EIGHT, 1L)))) {
      assertThrows(IllegalArgumentException.class,
          () -> MindSporeCheckpointWriter.write(path, bad, Scalars.ZERO, false));
    }
    assertThrows(UncheckedIOException.class,
        () -> MindSporeCheckpointWriter.write(path, List.of(failing), Scalars.ZERO, false));
    assertEquals("old", Files.readString(path));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(path), files.toList());
    }
  }
}
