package org.dyr.io;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {

  private static Object parse(String text) {
    return Json.parse(text.getBytes(UTF_8), "here");
  }

  @Test
  void values() {
    assertEquals(Arrays.asList(0L, -12L, Long.MAX_VALUE, Long.MIN_VALUE, 1.5, -2e10, 1e-2,
            true, false, null, Map.of(), List.of()),
        parse(" [0, -12,\t9223372036854775807,-9223372036854775808,\r\n1.5,-2e10,1E-2,true,false,null,{},[ ]] \n"));
    assertEquals(Map.of("a", Map.of("b", List.of(1L)), "", "x"), parse("{\"a\":{\"b\":[1]},\"\":\"x\"}"));
    assertNull(parse("null"));
  }

  @Test
  void membersKeepTheirOrder() {
    Map<?, ?> map = (Map<?, ?>) parse("{\"z\":1,\"a\":2,\"m\":3}");
    assertEquals(List.of("z", "a", "m"), new ArrayList<>(map.keySet()));
  }

  @Test
  void strings() {
    assertEquals("\"\\/\b\f\n\r\t", parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""));
    assertEquals("aéAﬁ😀z", parse("\"a\\u00e9\\u0041\\uFB01\\ud83d\\uDE00z\""));
    assertEquals("é世界😀\u007f", parse("\"é世界😀\u007f\""));
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "", " ", "{", "[", "\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "[1", "[1,", "\"\\", "\"\\u12", "tru", "-", "1.",
      "1e", "1e+", "01", "+1", ".5", "1.e3", "0x1", "NaN", "Infinity", "nul", "True", "'a'", "[1,]",
      "{\"a\":1,}", "{,}", "[,]", "{a:1}", "{1:1}", "{\"a\" 1}", "[1 2]", "[1}", "{\"a\":1]", "1 2", "{} {}",
      "[]]", "// x", "\"\u0001\"", "\"a\nb\"", "\"\\x\"",
      "\"\\u00g0\"", "\"\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
      "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "9223372036854775808", "-9223372036854775809", "\u00a0 1", "é",
  })
  void refused(String text) {
    SafeTensorsException e = assertThrows(SafeTensorsException.class, () -> parse(text));
    assertTrue(e.getMessage().startsWith("here, byte "), e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "\u00ff", "\u0080", "\u00c0\u00af", "\u00ed\u00a0\u0080", "\u00f4\u0090\u0080\u0080", "\u00e4\u00b8",
  })
  void malformedUtf8IsRefused(String bytes) { // stray, overlong, a surrogate, beyond U+10FFFF, cut short
    byte[] text = ("\"ok" + bytes + "\"").getBytes(ISO_8859_1);
    SafeTensorsException e = assertThrows(SafeTensorsException.class, () -> Json.parse(text, "here"));
    assertEquals("here, byte 3: not valid UTF-8", e.getMessage());
  }

  @Test
  void errorsNameTheByte() {
    SafeTensorsException e = assertThrows(SafeTensorsException.class, () -> parse("{\"é\": 1, \"é\": 2}"));
    assertEquals("here, byte 10: key \"é\" occurs twice", e.getMessage());
  }

  @Test
  void depthIsBounded() {
    int most = Json.MAX_DEPTH;
    assertTrue(parse("[".repeat(most) + "1" + "]".repeat(most)) instanceof List);
    for (String open : List.of("[", "{\"a\":")) {
      for (int depth : new int[] {most + 1, 1_000_000}) {
        SafeTensorsException e = assertThrows(SafeTensorsException.class, () -> parse(open.repeat(depth) + "1"));
        assertTrue(e.getMessage().contains("nested deeper"), e.getMessage());
      }
    }
  }

  @Test
  void sizeIsBounded() {
    String many = "[" + "0,".repeat(Json.MAX_VALUES) + "0]";
    assertTrue(assertThrows(SafeTensorsException.class, () -> parse(many)).getMessage().contains("values"));
    String number = "1".repeat(1000) + ".5";
    assertTrue(assertThrows(SafeTensorsException.class, () -> parse(number)).getMessage().contains("characters"));
  }
}
