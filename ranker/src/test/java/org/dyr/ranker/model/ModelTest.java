package org.dyr.ranker.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.formats.FormatException;
import org.dyr.formats.checkpoint.BertNames;
import org.dyr.formats.checkpoint.ElementType;
import org.dyr.formats.checkpoint.MindSporeCheckpointWriter;
import org.dyr.formats.checkpoint.StoredTensor;
import org.dyr.ranker.text.PairLengths;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelTest {
  @TempDir Path folder;

  private Path config(String own) throws IOException {
    return Files.writeString(folder.resolve("config.json"), "{\"max_position_embeddings\": 16%s}".formatted(own));
  }

  @Test void lengthsOfTextsAreTheConfigsOrWhatPositionsAllow() throws IOException {
    assertEquals(new PairLengths(16, 8), ModelConfig.readLengths(config(""), 16));
    assertEquals(new PairLengths(512, 64), ModelConfig.readLengths(config(""), 512));
    Path file = config(", \"dyr\": {\"max_length\": 12, \"max_query_length\": 3}");
    assertEquals(new PairLengths(12, 3), ModelConfig.readLengths(file, 16));
  }

  @Test void lengthsThatDoNotFitAreAnError() throws IOException {
    for (String own : List.of("\"max_length\": 17, \"max_query_length\": 3", "\"max_length\": 16",
        "\"max_length\": \"16\"")) {
      Path file = config(", \"dyr\": {" + own + "}");
      ModelException e = assertThrows(ModelException.class, () -> ModelConfig.readLengths(file, 16), own);
      assertTrue(e.getMessage().contains("config.json") && e.getMessage().contains("max_"), e.getMessage());
    }
  }

  /** Only who reads texts needs room for them. */
  @Test void aModelOfFewPositionsLoadsAgain() throws IOException {
    Path config = Files.writeString(folder.resolve("config.json"), """
        {"vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24,
         "max_position_embeddings": 6}""");
    try (Backend backend = Devices.open("cpu", new DeviceOptions(1, "auto"))) {
      try (Model model = Model.create(ModelConfig.read(config), null, backend, 7)) {
        ModelDirectory.save(model, folder);
      }
      try (Model model = ModelDirectory.load(folder, backend)) {
        assertEquals(new PairLengths(6, 3), model.lengths());
      }
    }
  }

  @Test void aNamedFileMustBeThereThoughTheDirectoryHasItsOwn() throws IOException {
    config(", \"vocab_size\": 13, \"hidden_size\": 16, \"num_attention_heads\": 2");
    Path none = folder.resolve("none");
    Optional<Path> named = Optional.of(none);
    for (ModelSource source : List.of(new ModelSource(folder, named, Optional.empty(), 0),
        new ModelSource(folder, Optional.empty(), named, 0))) {
      ModelException e = assertThrows(ModelException.class, source::bert);
      assertTrue(e.getMessage().startsWith(none + ": no such file; name "), e.getMessage());
      String option = source.config().isPresent() ? "--model-config" : "--vocab";
      assertTrue(e.getMessage().contains(option), e.getMessage());
    }
  }

  @Test void aModelWithoutATokenizerIsMadeAndReadsNoText() throws IOException {
    Path config = Files.writeString(folder.resolve("config.json"), """
        {"vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24,
         "max_position_embeddings": 16}""");
    try (Backend backend = Devices.open("cpu", new DeviceOptions(1, "auto"));
        Model model = Model.create(ModelConfig.read(config), null, backend, 7)) {
      assertFalse(model.readsText());
      ModelException e = assertThrows(ModelException.class, model::tokenizer);
      assertTrue(e.getMessage().contains("--vocab"), e.getMessage());
    }
  }

  @Test void aSavedConfigReplacesTheOneThatSomebodyReads() throws IOException {
    Path config = Files.writeString(folder.resolve("config.json"), """
        {"vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24,
         "max_position_embeddings": 16}""");
    String before = Files.readString(config);
    Path reader = Files.createLink(folder.resolve("as-it-was"), config);
    try (Backend backend = Devices.open("cpu", new DeviceOptions(1, "auto"));
        Model model = Model.create(ModelConfig.read(config), null, backend, 7)) {
      ModelDirectory.save(model, folder);
    }
    assertEquals(before, Files.readString(reader));
    assertEquals(new PairLengths(16, 8), ModelConfig.readLengths(config, 16));
    assertTrue(Files.readString(config).contains("max_query_length"));
  }

  /** A passage's tokens are of type 1: with one row they would be looked up beside the table. */
  @Test void aModelWithoutATypeForPassagesIsRefused() throws IOException {
    String why = "type_vocab_size must be at least 2";
    Path config = config(", \"vocab_size\": 13, \"hidden_size\": 16, \"num_hidden_layers\": 1, \"num_attention_heads\": "
        + "2, \"intermediate_size\": 24, \"type_vocab_size\": 1");
    ModelException e = assertThrows(ModelException.class, () -> ModelConfig.read(config));
    assertTrue(e.getMessage().startsWith(config + ": " + why), e.getMessage());
    Path checkpoint = folder.resolve("model.ckpt");
    List<StoredTensor> tensors = new ArrayList<>();
    Map.of("word_embeddings", 13, "position_embeddings", 16, "token_type_embeddings", 1).forEach((table, rows) ->
        tensors.add(zeros("bert.embeddings." + table + ".weight", rows, 16)));
    tensors.add(zeros("bert.encoder.layer.0.intermediate.dense.weight", 24, 16));
    MindSporeCheckpointWriter.write(checkpoint, tensors, MindSporeCheckpointWriter.Scalars.ZERO, false);
    ModelSource source = new ModelSource(checkpoint, Optional.empty(), Optional.empty(), 2);
    FormatException f = assertThrows(FormatException.class, source::bert);
    assertTrue(f.getMessage().startsWith(checkpoint.toString()) && f.getMessage().contains(why), f.getMessage());
  }

  private static StoredTensor zeros(String name, int rows, int columns) {
    byte[] bytes = new byte[4 * rows * columns];
    return new StoredTensor(BertNames.translate(name, BertNames.Dialect.MIND_SPORE).orElseThrow(), ElementType.FLOAT32,
        List.of((long) rows, (long) columns), bytes.length, () -> new ByteArrayInputStream(bytes));
  }
}
