package org.dyr.formats.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.dyr.formats.FormatException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class PyTorchCheckpointTest {
  private static final byte[] FOUR_FLOATS = little(16, b -> b.putFloat(1).putFloat(2).putFloat(3).putFloat(4));

  @TempDir Path folder;

  private static byte[] little(int bytes, java.util.function.Consumer<ByteBuffer> fill) {
    ByteBuffer b = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    fill.accept(b);
    return b.array();
  }

  private Path resource(String name) throws IOException {
    try (InputStream in = getClass().getResourceAsStream(name)) {
      return Files.write(folder.resolve(name), in.readAllBytes());
    }
  }

  private static byte[] content(StoredTensor t) throws IOException {
    try (InputStream in = t.content().open()) {
      return in.readAllBytes();
    }
  }

  private static byte[] floats(int... values) {
    return little(4 * values.length, b -> Arrays.stream(values).forEach(b::putFloat));
  }

  @Test void whatPyTorchWroteIsRead() throws IOException {
    Path file = resource("state_dict.bin");
    try (TensorFile checkpoint = TensorFiles.open(file)) {
      Map<String, StoredTensor> all = new LinkedHashMap<>();
      checkpoint.tensors().forEach(t -> all.put(t.name(), t));
      assertEquals(List.of("plain", "transposed", "columns", "rows", "half", "bfloat16", "long", "bool", "scalar",
          "empty",
          "parameter"), List.copyOf(all.keySet()));
      int[] range = java.util.stream.IntStream.range(0, 24).toArray();
      assertArrayEquals(floats(range), content(all.get("plain")));
      assertEquals(List.of(4L, 6L), all.get("plain").dims());
      int[] transposed = new int[24];
      for (int i = 0; i < 24; i++) transposed[i] = i / 4 + 6 * (i % 4);
      assertEquals(List.of(6L, 4L), all.get("transposed").dims());
      assertArrayEquals(floats(transposed), content(all.get("transposed")));
      assertArrayEquals(floats(8, 9, 10, 14, 15, 16), content(all.get("columns")));
      assertArrayEquals(floats(Arrays.copyOfRange(range, 12, 24)), content(all.get("rows")));
      assertEquals(ElementType.FLOAT16, all.get("half").type());
      assertArrayEquals(little(4, b -> b.putShort((short) 0x3e00).putShort((short) 0xc000)), content(all.get("half")));
      assertEquals(ElementType.BFLOAT16, all.get("bfloat16").type());
      assertArrayEquals(little(6, b -> b.putShort((short) 0x3fc0).putShort((short) 0xc000).putShort((short) 0x4040)),
          content(all.get("bfloat16")));
      assertArrayEquals(little(16, b -> b.putLong(-1).putLong(1L << 40)), content(all.get("long")));
      assertArrayEquals(new byte[] {1, 0, 1}, content(all.get("bool")));
      assertEquals(List.of(), all.get("scalar").dims());
      assertArrayEquals(little(4, b -> b.putInt(7)), content(all.get("scalar")));
      assertEquals(List.of(0L, 3L), all.get("empty").dims());
      assertEquals(0, content(all.get("empty")).length);
      assertArrayEquals(little(4, b -> b.putFloat(0.25f)), content(all.get("parameter")));
    }
    assertTrue(new CheckpointInspector().reads(file));
    assertEquals(11, new CheckpointInspector().inspect(file, 0).get("entries").asInt());
  }

  @Test void shardsAreOneModelAsTheIndexSays() throws IOException {
    byte[] other = little(16, b -> b.putFloat(5).putFloat(6).putFloat(7).putFloat(8));
    Path first = archive(good());
    Files.move(first, folder.resolve("pytorch_model-00001-of-00002.bin"));
    byte[] second = new Pickle().begin().tensor("v", "FloatStorage", "0", 4, 0, l(4), l(1)).end();
    Files.move(zip("archive/data.pkl", second, "archive/data/0", other), folder.resolve("second.bin"));
    Path index = Files.writeString(folder.resolve("pytorch_model.bin.index.json"), """
        {"metadata": {"total_size": 32}, "weight_map": {"v": "second.bin", "w": "pytorch_model-00001-of-00002.bin"}}
        """);
    try (TensorFile model = TensorFiles.open(folder)) {
      assertEquals(List.of("v", "w"), model.tensors().stream().map(StoredTensor::name).toList());
      assertArrayEquals(other, content(model.tensors().get(0)));
      assertArrayEquals(FOUR_FLOATS, content(model.tensors().get(1)));
    }
    Map<String, String> wrong = Map.of(
        "{\"weight_map\": {\"u\": \"second.bin\"}}", "tensor \"u\": is not in \"second.bin\"",
        "{\"weight_map\": {\"v\": \"../second.bin\"}}", "is not the plain name of a .bin file",
        "{\"weight_map\": {\"v\": 3}}", "is not the plain name of a .bin file",
        "{\"weight_map\": {\"v\": \"none.bin\"}}", "no such file", "{\"weight_map\": {}}", "must be an object with",
        "[1]", "must be an object with", "{\"weight_map\":", "is no valid JSON");
    for (Map.Entry<String, String> w : wrong.entrySet()) {
      Files.writeString(index, w.getKey());
      String said = assertThrows(FormatException.class, () -> TensorFiles.open(folder).close()).getMessage();
      assertTrue(said.startsWith(folder.toString()) && said.contains(w.getValue()), said);
    }
  }

  @Test void theOldFormIsRefusedByName() throws IOException {
    refused("before version 1.6", resource("legacy.bin"));
  }

  private void refused(String why, Path path) {
    String said = assertThrows(FormatException.class, () -> PyTorchCheckpoint.open(path).close()).getMessage();
    assertTrue(said.startsWith(path.toString()) && said.contains(why), said);
  }

  /** Pickles by hand. */
  private static final class Pickle {
    private final Wire wire = new Wire().raw(0x80, 2);

    Pickle code(char... codes) {
      for (char c : codes) wire.raw(c);
      return this;
    }

    Pickle global(String module, String name) {
      wire.raw('c');
      for (byte b : (module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8)) wire.raw(b);
      return this;
    }

    Pickle text(String text) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      wire.raw('X', bytes.length & 0xff, bytes.length >> 8, 0, 0);
      for (byte b : bytes) wire.raw(b);
      return this;
    }

    Pickle number(long n) {
      wire.raw(0x8a, 8);
      for (int i = 0; i < 8; i++) wire.raw((int) (n >> 8 * i) & 0xff);
      return this;
    }

    Pickle numbers(long... all) {
      code('(');
      for (long n : all) number(n);
      return code('t');
    }

    /** One tensor under a name. */
    Pickle tensor(String name, String type, String key, long elements, long offset, long[] dims, long[] strides) {
      text(name).global("torch._utils", "_rebuild_tensor_v2").code('(', '(').text("storage")
          .global("torch", type).text(key)
          .text("cpu").number(elements).code('t', 'Q').number(offset).numbers(dims).numbers(strides).code('\u0089');
      return global("collections", "OrderedDict").code(')', 'R', 't', 'R');
    }

    Pickle begin() {
      return code('}', '(');
    }

    byte[] end() {
      return code('u', '.').bytes();
    }

    byte[] bytes() {
      return wire.toByteArray();
    }
  }

  private static Pickle one(long elements, long offset, long[] dims, long[] strides) {
    return new Pickle().begin().tensor("w", "FloatStorage", "0", elements, offset, dims, strides);
  }

  private static long[] l(long... values) {
    return values;
  }

  private static byte[] good() {
    return one(4, 0, l(2, 2), l(2, 1)).end();
  }

  private static void stored(ZipOutputStream zip, String name, byte[] content) throws IOException {
    ZipEntry e = new ZipEntry(name);
    CRC32 crc = new CRC32();
    crc.update(content);
    e.setMethod(ZipEntry.STORED);
    e.setSize(content.length);
    e.setCrc(crc.getValue());
    zip.putNextEntry(e);
    zip.write(content);
    zip.closeEntry();
  }

  private Path zip(Object... namesAndContents) throws IOException {
    Path path = folder.resolve("pytorch_model.bin");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(path))) {
      for (int i = 0; i < namesAndContents.length; i += 2) {
        stored(zip, (String) namesAndContents[i], (byte[]) namesAndContents[i + 1]);
      }
    }
    return path;
  }

  private Path archive(byte[] pickle) throws IOException {
    return zip("archive/data.pkl", pickle, "archive/data/0", FOUR_FLOATS, "archive/version", new byte[] {'3', '\n'});
  }

  @Test void aPickleByHandIsRead() throws IOException {
    try (PyTorchCheckpoint c = PyTorchCheckpoint.open(archive(good()))) {
      assertArrayEquals(FOUR_FLOATS, content(c.tensors().getFirst()));
    }
    try (PyTorchCheckpoint c = PyTorchCheckpoint.open(archive(one(4, 1, l(1, 3), l(77, 1)).end()))) {
      assertArrayEquals(Arrays.copyOfRange(FOUR_FLOATS, 4, 16), content(c.tensors().getFirst()));
    }
  }

  static Stream<Arguments> evil() {
    byte[] plain = good();
    return Stream.of(
        Arguments.of("\"os.system\"", new Pickle().global("os", "system").text("touch /tmp/x")
            .code('\u0085', 'R', '.').bytes()),
        Arguments.of("\"builtins.eval\"", new Pickle().global("builtins", "eval").code('.').bytes()),
        Arguments.of("\"torch._utils._rebuild_parameter_with_state\"",
            new Pickle().global("torch._utils", "_rebuild_parameter_with_state").code('.').bytes()),
        Arguments.of("instruction STACK_GLOBAL", new Pickle().text("os").text("system").code('\u0093').bytes()),
        Arguments.of("instruction INST", new Pickle().code('(', 'i').bytes()),
        Arguments.of("instruction NEWOBJ", new Pickle().code('\u0081').bytes()),
        Arguments.of("instruction EXT1", new Pickle().code('\u0082').bytes()),
        Arguments.of("instruction 0xff", new Pickle().code('\u00ff').bytes()),
        Arguments.of("no pickle of protocol 2", new byte[] {(byte) 0x80, 4, '.'}),
        Arguments.of("no pickle of protocol 2", new byte[0]),
        Arguments.of("cut off", Arrays.copyOf(plain, plain.length - 1)),
        Arguments.of("cut off", new Wire().raw(0x80, 2, 'X', 255, 255, 255, 255).toByteArray()),
        Arguments.of("cut off", new Wire().raw(0x80, 2, 'X', 255, 255, 255, 127).toByteArray()),
        Arguments.of("a number of 200 bytes", new Wire().raw(0x80, 2, 0x8a, 200).toByteArray()),
        Arguments.of("too few values", new Pickle().code('.').bytes()),
        Arguments.of("too few values", new Pickle().code('(', 'R').bytes()),
        Arguments.of("no mark", new Pickle().code('t').bytes()),
        Arguments.of("recalled before", new Pickle().code('h', '\1').bytes()),
        Arguments.of("what cannot be called", new Pickle().text("x").code(')', 'R').bytes()),
        Arguments.of("other arguments",
            new Pickle().global("collections", "OrderedDict").text("x").code('\u0085', 'R').bytes()),
        Arguments.of("no storage", new Pickle().text("x").code('Q').bytes()),
        Arguments.of("neither a text nor a number", new Pickle().code('}', 'q', '\0', 'h', '\0', 'N', 's').bytes()),
        Arguments.of("no dictionary", new Pickle().text("x").text("k").text("v").code('s').bytes()),
        Arguments.of("BUILD", new Pickle().global("collections", "OrderedDict").code('}', 'b').bytes()),
        Arguments.of("no dictionary of tensors", new Pickle().text("x").code('.').bytes()),
        Arguments.of("\"epoch\" is no tensor", new Pickle().begin().text("epoch").number(3).end()),
        Arguments.of("appended to what is no list", new Pickle().text("x").text("y").code('a').bytes()),
        Arguments.of("do not fit", one(4, 0, l(2, 3), l(3, 1)).end()),
        Arguments.of("do not fit", one(4, 1, l(2, 2), l(2, 1)).end()),
        Arguments.of("do not fit", one(4, -1, l(2, 2), l(2, 1)).end()),
        Arguments.of("do not fit", one(4, 0, l(2, 2), l(2)).end()),
        Arguments.of("do not fit", one(4, 0, l(-1), l(1)).end()),
        Arguments.of("do not fit", one(4, 3, l(2), l(-1)).end()),
        Arguments.of("do not fit", one(4, 0, l(1L << 40, 1L << 40), l(1, 1)).end()),
        Arguments.of("do not fit", one(4, Long.MAX_VALUE, l(4), l(1)).end()),
        Arguments.of("more than once", one(4, 0, l(1L << 50, 4), l(0, 1)).end()),
        Arguments.of("should have 5 elements", one(5, 0, l(2, 2), l(2, 1)).end()),
        Arguments.of("should have " + Long.MAX_VALUE + " elements", one(Long.MAX_VALUE, 0, l(2, 2), l(2, 1)).end()),
        Arguments.of("\"archive/data/1\" is missing",
            new Pickle().begin().tensor("w", "FloatStorage", "1", 4, 0, l(4), l(1)).end()));
  }

  @ParameterizedTest
  @MethodSource("evil")
  @Timeout(20)
  void whatIsNoDictionaryOfTensorsIsRefused(String why, byte[] pickle) throws IOException {
    refused(why, archive(pickle));
  }

  @Test void archivesThatPyTorchDoesNotWriteAreRefused() throws IOException {
    refused("0 files FOLDER/data.pkl", zip("archive/data/0", FOUR_FLOATS));
    refused("2 files FOLDER/data.pkl", zip("a/data.pkl", good(), "b/data.pkl", good()));
    refused("TorchScript", zip("a/data.pkl", good(), "a/constants.pkl", new byte[1]));
    refused("little-endian", zip("a/data.pkl", good(), "a/data/0", FOUR_FLOATS, "a/byteorder",
        "big".getBytes(StandardCharsets.US_ASCII)));
    refused("at most 4194304", zip("a/data.pkl", new byte[(4 << 20) + 1]));
    Path packed = folder.resolve("packed.bin");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(packed))) {
      stored(zip, "a/data.pkl", good());
      zip.putNextEntry(new ZipEntry("a/data/0"));
      zip.write(FOUR_FLOATS);
    }
    refused("is compressed", packed);
    refused("safetensors", Files.write(folder.resolve("s.bin"), new byte[] {2, 0, 0, 0, 0, 0, 0, 0, '{', '}', 1}));
    refused("no zip archive", Files.write(folder.resolve("e.bin"), new byte[] {1, 2, 3}));
    refused("no such file", folder.resolve("none.bin"));
    byte[] whole = Files.readAllBytes(archive(good()));
    refused("damaged zip", Files.write(folder.resolve("cut.bin"), Arrays.copyOf(whole, whole.length - 30)));
    int at = new String(whole, StandardCharsets.ISO_8859_1).indexOf("archive/data/0") + "archive/data/0".length();
    assertArrayEquals(FOUR_FLOATS, Arrays.copyOfRange(whole, at, at + 16));
    byte[] flipped = whole.clone();
    flipped[at] ^= 1;
    refused("checksum", Files.write(folder.resolve("flipped.bin"), flipped));
    flipped = whole.clone();
    String name = "X\1\0\0\0"; // and then w, the tensor's: it becomes v
    flipped[new String(whole, StandardCharsets.ISO_8859_1).indexOf(name + "w") + name.length()] ^= 1;
    refused("\"archive/data.pkl\": the archive says checksum", Files.write(folder.resolve("renamed.bin"), flipped));
  }

  @Test @Timeout(120) void flippedBitsGiveAFileOrAFormatException() throws IOException {
    byte[] whole = Files.readAllBytes(archive(good()));
    for (int bit = 0; bit < 8 * whole.length; bit += 5) {
      byte[] flipped = whole.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      Path path = Files.write(folder.resolve("f.bin"), flipped);
      try (PyTorchCheckpoint c = PyTorchCheckpoint.open(path)) {
        for (StoredTensor t : c.tensors()) assertEquals(t.bytes(), content(t).length);
      } catch (FormatException e) {
        assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
      }
    }
  }
}
