package org.dyr.formats.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dyr.formats.FormatException;
import org.dyr.io.SafeTensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointInspectorTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  /** As text, so that kinds of nodes do not matter: 1.0 and 1 differ, int and BigInteger do not. */
  private static JsonNode plain(JsonNode node) throws IOException {
    return JSON.readTree(JSON.writeValueAsString(node));
  }

  @Test void samplesGiveWhatIsExpected() throws IOException {
    JsonNode expected = JSON.readTree(Samples.path("samples/expected/ckpt.json").toFile());
    assertEquals(3, expected.size());
    for (JsonNode file : expected) {
      Path path = Samples.path("samples/" + file.get("file").asText());
      JsonNode found = plain(new CheckpointInspector().inspect(path, 3));
      assertEquals(path.toString(), found.get("file").asText());
      for (String field : List.of("size", "sha256", "entries")) assertEquals(file.get(field), found.get(field), field);
      assertEquals(file.get("parameters").size(), found.get("parameters").size());
      for (int i = 0; i < file.get("parameters").size(); i++) {
        assertEquals(file.get("parameters").get(i), found.get("parameters").get(i));
      }
    }
  }

  private static byte[] little(int bytes, java.util.function.Consumer<ByteBuffer> fill) {
    ByteBuffer b = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    fill.accept(b);
    return b.array();
  }

  @Test void everyKindOfValueIsShown() throws IOException {
    byte[] unsigned = little(16, b -> b.putLong(-1).putLong(1));
    byte[] halves = little(4, b -> b.putShort(Float.floatToFloat16(1.5f)).putShort(Float.floatToFloat16(-2)));
    byte[] brains = little(4, b -> b.putShort((short) 0x3fc0).putShort((short) 0x7fc0)); // 1.5, NaN
    Path path = Files.write(folder.resolve("a.ckpt"), new Wire().record("u", "UInt64", unsigned, 2)
        .record("h", "Float16", halves, 2).record("b", "BFloat16", brains, 2).record("t", "Bool", new byte[] {1, 0}, 2)
        .record("text", "str", "zwölf".getBytes(Charset.forName("UTF-32LE")), 0)
        .record("four", "Int4", new byte[] {1}, 2)
        .record("none", "Float32", new byte[0], 0).record("w", "UInt16", new byte[] {-1, -1}, 1).toByteArray());
    JsonNode p = plain(new CheckpointInspector().inspect(path, 0)).get("parameters");
    assertEquals("18446744073709551615", p.get(0).get("max").asText());
    assertEquals("1", p.get(0).get("min").asText());
    assertEquals(0x1p64, p.get(0).get("sum").asDouble());
    assertEquals("[1.5,-2.0]", p.get(1).get("first").toString());
    assertEquals(-0.5, p.get(1).get("sum").asDouble());
    assertEquals("NaN", p.get(2).get("sum").asText());
    assertEquals(1, p.get(3).get("sum").asInt());
    assertEquals("zwölf", p.get(4).get("text").asText());
    assertFalse(p.get(5).has("first"));
    assertEquals("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", p.get(6).get("sha256").asText());
    assertEquals("[0]", p.get(6).get("shape").toString());
    assertEquals(65535, p.get(7).get("last").asInt());
  }

  @Test void safetensorsAreDescribedInTheSameForm() throws IOException {
    Path path = folder.resolve("m.safetensors");
    SafeTensorsWriter.copy(path, List.of(
        new SafeTensorsWriter.Stored("n", "I64", List.of(),
            () -> new ByteArrayInputStream(little(8, b -> b.putLong(-7)))),
        new SafeTensorsWriter.Stored("x", "F32", List.of(1L, 2L),
            () -> new ByteArrayInputStream(little(8, b -> b.putFloat(1).putFloat(0.1f))))), Map.of());
    assertTrue(new CheckpointInspector().reads(path));
    assertTrue(new CheckpointInspector().reads(Files.copy(path, folder.resolve("nameless"))));
    JsonNode found = plain(new CheckpointInspector().inspect(path, 0));
    assertEquals(2, found.get("entries").asInt());
    JsonNode n = found.get("parameters").get(0);
    assertEquals("I64", n.get("type").asText());
    assertEquals("[]", n.get("shape").toString());
    assertEquals(-7, n.get("min").asInt());
    assertFalse(n.has("dims_in_file"));
    assertEquals(1 + (double) 0.1f, found.get("parameters").get(1).get("sum").asDouble());
  }

  @Test void otherFilesAreNotRead() throws IOException {
    assertFalse(new CheckpointInspector().reads(Files.writeString(folder.resolve("text.txt"),
        "{\"a\": \"some text\"}")));
    assertFalse(new CheckpointInspector().reads(folder));
    Path wrong = Files.writeString(folder.resolve("w.ckpt"), "nothing of the kind");
    assertThrows(FormatException.class, () -> new CheckpointInspector().inspect(wrong, 0));
  }

  @Test void sumsAreRoundedOnce() {
    ExactSum sum = new ExactSum();
    for (double x : new double[] {1e300, 1, 1e-300, -1e300, Double.MIN_VALUE, -1}) sum.add(x);
    assertEquals(1e-300 + Double.MIN_VALUE, sum.value());
    sum.add(Long.MIN_VALUE);
    sum.add(Long.MAX_VALUE);
    assertEquals(-1, sum.value());
    ExactSum tenths = new ExactSum();
    for (int i = 0; i < 1_000_000; i++) tenths.add(0.1);
    assertEquals(new java.math.BigDecimal(0.1).multiply(java.math.BigDecimal.valueOf(1_000_000)).doubleValue(),
        tenths.value());
    tenths.add(Double.POSITIVE_INFINITY);
    assertEquals(Double.POSITIVE_INFINITY, tenths.value());
    assertEquals(0.0, new ExactSum().value());
  }
}
