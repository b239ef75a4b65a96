package org.dyr.ranker.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
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
}
