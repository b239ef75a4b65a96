package org.dyr.ranker.model;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelTest {
  @TempDir Path folder;

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
}
