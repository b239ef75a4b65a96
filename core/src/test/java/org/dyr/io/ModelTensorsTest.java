package org.dyr.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dyr.io.SafeTensorsWriter.Tensor;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelTensorsTest {
  @TempDir Path directory;

  private void file(String file, String... names) {
    List<Tensor> tensors = Stream.of(names)
        .map(n -> new Tensor(n, DType.F32, Shape.of(1), MemorySegment.ofArray(new float[] {n.charAt(0)}))).toList();
    SafeTensorsWriter.write(directory.resolve(file), tensors, Map.of());
  }

  private void index(String text) throws IOException {
    Files.writeString(directory.resolve(ModelTensors.INDEX), text);
  }

  private String refused() {
    String message = assertThrows(SafeTensorsException.class, () -> ModelTensors.open(directory)).getMessage();
    assertTrue(message.startsWith(directory.toString()), message);
    return message;
  }

  @Test
  void oneFile() throws IOException {
    file(ModelTensors.FILE, "b", "a");
    index("ignored beside the whole model");
    try (ModelTensors model = ModelTensors.open(directory)) {
      assertEquals(List.of("b", "a"), model.names());
      assertEquals(4, model.segment("a").byteSize());
      assertTrue(model.contains("a"));
      assertFalse(model.contains("c"));
      String message = assertThrows(SafeTensorsException.class, () -> model.entry("c")).getMessage();
      assertTrue(message.endsWith("no tensor \"c\" among the model's 2"), message);
    }
  }

  @Test
  void shards() throws IOException {
    file("model-00001-of-00002.safetensors", "a", "b");
    file("model-00002-of-00002.safetensors", "c", "unnamed");
    index("{\"metadata\":{\"total_size\":12.0},\"weight_map\":{\"c\":\"model-00002-of-00002.safetensors\","
        + "\"a\":\"model-00001-of-00002.safetensors\",\"b\":\"model-00001-of-00002.safetensors\"}}");
    ModelTensors model = ModelTensors.open(directory);
    assertEquals(List.of("c", "a", "b"), model.names());
    assertSame(model.fileOf("a"), model.fileOf("b"));
    for (String name : model.names()) {
      float[] value = new float[1];
      model.copy(name, MemorySegment.ofArray(value), DType.F32);
      assertEquals(name.charAt(0), value[0]);
      assertEquals(name, model.entry(name).name());
    }
    MemorySegment segment = model.segment("c");
    model.close();
    model.close();
    assertFalse(segment.scope().isAlive());
  }

  @Test
  void aLinkedFileIsFollowed() throws IOException {
    Path snapshot = Files.createDirectory(directory.resolve("snapshot"));
    file("blob", "a");
    Files.createSymbolicLink(snapshot.resolve(ModelTensors.FILE), Path.of("../blob"));
    try (ModelTensors model = ModelTensors.open(snapshot)) {
      assertEquals(List.of("a"), model.names());
    }
  }

  @Test
  void nothingThere() throws IOException {
    assertTrue(refused().endsWith("holds neither model.safetensors nor model.safetensors.index.json"));
    Files.createFile(directory.resolve("pytorch_model.bin"));
    assertTrue(refused().contains("pytorch_model.bin is not read, only safetensors"));
    assertTrue(assertThrows(SafeTensorsException.class, () -> ModelTensors.open(directory.resolve("no"))).getMessage()
        .endsWith("not a directory"));
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "../out.safetensors", "/out.safetensors", "sub/out.safetensors", "..\\\\out.safetensors", "C:out.safetensors",
      "..", ".", "", "pytorch_model.bin", "a\\u0000.safetensors", "a\\n.safetensors",
  })
  void aNameOutsideTheDirectoryIsRefused(String name) throws IOException {
    index("{\"weight_map\":{\"w\":\"" + name + "\"}}");
    String message = refused();
    assertTrue(message.contains("tensor \"w\"") && message.contains("is not the plain name"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "", "{", "[]", "{}", "{\"weight_map\":[]}", "{\"weight_map\":{\"w\":1}}", "{\"weight_map\":{\"w\":null}}",
  })
  void aBrokenIndexIsRefused(String text) throws IOException {
    index(text);
    assertTrue(refused().contains(ModelTensors.INDEX));
  }

  @Test
  void indexAndShardsMustAgree() throws IOException {
    index("{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}");
    file("s1.safetensors", "a");
    assertTrue(refused().contains("tensor \"b\" should be in \"s2.safetensors\", which is missing"));
    file("s2.safetensors", "other");
    assertTrue(refused().contains("tensor \"b\" is not in " + directory.resolve("s2.safetensors")));
    Files.writeString(directory.resolve("s2.safetensors"), "not one");
    assertTrue(refused().contains("s2.safetensors: 7 bytes are too few"));
  }
}
