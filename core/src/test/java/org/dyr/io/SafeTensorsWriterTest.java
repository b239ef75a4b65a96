package org.dyr.io;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.dyr.io.SafeTensorsWriter.Tensor;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.ShapeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsWriterTest {
  private static final Shape LARGE = Shape.of((1 << 19) + 3, 1); // more than one staged chunk

  @TempDir Path directory;

  private static Tensor floats(String name, float... values) {
    return new Tensor(name, DType.F32, Shape.of(values.length), MemorySegment.ofArray(values));
  }

  private List<String> files() throws IOException {
    try (Stream<Path> list = Files.list(directory)) {
      return list.map(p -> p.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void goldenFile() throws IOException {
    Path path = directory.resolve("g.safetensors");
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("z", "\"\\\n");
    metadata.put("format", "pt");
    SafeTensorsWriter.write(path, List.of(floats("é", 1.5f, -2.25f),
        new Tensor("n", DType.I32, Shape.of(1, 1), MemorySegment.ofArray(new int[] {0x01020304}))), metadata);
    String json = "{\"__metadata__\":{\"format\":\"pt\",\"z\":\"\\\"\\\\\\u000a\"},"
        + "\"é\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        + "\"n\":{\"dtype\":\"I32\",\"shape\":[1,1],\"data_offsets\":[8,12]}}";
    assertEquals(159, json.getBytes(UTF_8).length);
    String golden = "\u00a0\0\0\0\0\0\0\0" + new String(json.getBytes(UTF_8), ISO_8859_1) + " "
        + "\0\0\u00c0\u003f\0\0\u0010\u00c0" + "\4\3\2\1";
    assertArrayEquals(golden.getBytes(ISO_8859_1), Files.readAllBytes(path));
    assertEquals(List.of("g.safetensors"), files());
  }

  @Test
  void everyTypeComesBack() {
    Path path = directory.resolve("all.safetensors");
    Random random = new Random(5);
    try (Arena arena = Arena.ofConfined()) {
      List<Tensor> tensors = new ArrayList<>();
      for (DType type : DType.values()) {
        for (Shape shape : List.of(Shape.of(1), Shape.of(3, 0), Shape.of(7, 31), Shape.of(2, 3, 5), LARGE)) {
          byte[] bytes = new byte[(int) shape.size() * type.bytes()];
          random.nextBytes(bytes);
          MemorySegment data = arena.allocate(Math.max(1, bytes.length), 64).asSlice(0, bytes.length);
          tensors.add(new Tensor(type + "." + shape, type, shape, data.copyFrom(MemorySegment.ofArray(bytes))));
        }
      }
      SafeTensorsWriter.write(path, tensors, Map.of("a", "b"));
      try (SafeTensorsFile file = SafeTensorsFile.open(path)) {
        assertEquals(tensors.stream().map(Tensor::name).toList(), file.names());
        assertEquals(Map.of("a", "b"), file.metadata());
        assertEquals(0, file.segment(tensors.getFirst().name()).address() % 8);
        for (Tensor t : tensors) {
          assertEquals(t.shape(), file.entry(t.name()).shape());
          assertEquals(t.type().name(), file.entry(t.name()).dtype());
          MemorySegment back = arena.allocate(Math.max(1, t.data().byteSize())).asSlice(0, t.data().byteSize());
          file.copy(t.name(), back, t.type());
          assertEquals(-1, back.mismatch(t.data()), t.name());
        }
      }
    }
  }

  @Test
  void noTensors() {
    Path path = directory.resolve("none.safetensors");
    SafeTensorsWriter.write(path, List.of(), Map.of());
    try (SafeTensorsFile file = SafeTensorsFile.open(path)) {
      assertEquals(List.of(), file.names());
      assertEquals(Map.of(), file.metadata());
    }
  }

  @Test
  void anOpenFileMayBeReplaced() {
    Path path = directory.resolve("m.safetensors");
    SafeTensorsWriter.write(path, List.of(floats("w", 1)), Map.of());
    try (SafeTensorsFile old = SafeTensorsFile.open(path)) {
      SafeTensorsWriter.write(path, List.of(floats("w", 2, 3)), Map.of());
      assertEquals(1, old.segment("w").get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0));
      try (SafeTensorsFile fresh = SafeTensorsFile.open(path)) {
        assertEquals(2, fresh.segment("w").get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0));
      }
    }
  }

  @Test
  void aFailedWriteLeavesTheOldFile() throws IOException {
    Path path = directory.resolve("m.safetensors");
    SafeTensorsWriter.write(path, List.of(floats("w", 1)), Map.of());
    byte[] before = Files.readAllBytes(path);
    Arena closed = Arena.ofConfined();
    Tensor gone = new Tensor("gone", DType.F32, Shape.of(2), closed.allocate(8));
    closed.close();
    assertThrows(IllegalStateException.class,
        () -> SafeTensorsWriter.write(path, List.of(floats("w", 2), gone), Map.of()));
    for (List<Tensor> bad : List.of(List.of(floats("a", 1), floats("a", 2)), List.of(floats("__metadata__", 1)),
        List.of(floats("\ud800", 1)))) {
      assertThrows(IllegalArgumentException.class, () -> SafeTensorsWriter.write(path, bad, Map.of()));
    }
    assertArrayEquals(before, Files.readAllBytes(path));
    assertEquals(List.of("m.safetensors"), files());
  }

  @Test
  void aDirectoryInTheWay() throws IOException {
    Path path = Files.createDirectory(directory.resolve("m.safetensors"));
    String message = assertThrows(UncheckedIOException.class,
        () -> SafeTensorsWriter.write(path, List.of(floats("w", 1)), Map.of())).getMessage();
    assertTrue(message.startsWith("Cannot write " + path) && message.contains("is unchanged"), message);
    assertEquals(List.of("m.safetensors"), files());
  }

  @Test
  void dataMustHaveTheSizeOfItsShape() {
    MemorySegment data = MemorySegment.ofArray(new byte[7]);
    ShapeException e = assertThrows(ShapeException.class, () -> new Tensor("w", DType.F32, Shape.of(2), data));
    assertEquals("tensor w: F32(2) takes 8 bytes, but its data has 7", e.getMessage());
  }

  @Test
  void storedTensorsOfAnyTypeAreCopied() throws IOException {
    Path path = directory.resolve("s.safetensors");
    byte[] large = new byte[(1 << 20) + 5];
    new Random(3).nextBytes(large);
    SafeTensorsWriter.copy(path, List.of(
        new SafeTensorsWriter.Stored("b", "BOOL", List.of(1L, (long) large.length),
            () -> new ByteArrayInputStream(large)),
        new SafeTensorsWriter.Stored("scalar", "I64", List.of(), () -> new ByteArrayInputStream(new byte[8])),
        new SafeTensorsWriter.Stored("none", "F32", List.of(0L), () -> new ByteArrayInputStream(new byte[0]))),
            Map.of());
    try (SafeTensorsFile file = SafeTensorsFile.open(path)) {
      assertEquals(List.of("b", "scalar", "none"), file.names());
      assertEquals(List.of(), file.entry("scalar").dims());
      assertArrayEquals(large, file.segment("b").toArray(ValueLayout.JAVA_BYTE));
    }
  }

  @Test
  void aContentOfAnotherLengthLeavesTheOldFile() throws IOException {
    Path path = Files.writeString(directory.resolve("s.safetensors"), "old");
    for (int bytes : new int[] {7, 9}) {
      var wrong = new SafeTensorsWriter.Stored("x", "I64", List.of(), () -> new ByteArrayInputStream(new byte[bytes]));
      assertThrows(SafeTensorsException.class, () -> SafeTensorsWriter.copy(path, List.of(wrong), Map.of()));
    }
    var unknown = new SafeTensorsWriter.Stored("x", "I65", List.of(), () -> new ByteArrayInputStream(new byte[8]));
    assertThrows(IllegalArgumentException.class, () -> SafeTensorsWriter.copy(path, List.of(unknown), Map.of()));
    assertEquals("old", Files.readString(path));
    assertEquals(List.of("s.safetensors"), files());
  }
}
