package org.dyr.ranker.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.io.SafeTensorsFile;
import org.dyr.io.SafeTensorsWriter;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.optim.LossScale;
import org.dyr.optim.Updater;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.model.ModelException;

/**
 * The files of one checkpoint: a model directory that anything loads, and beside the model
 * {@code optimizer.safetensors} (the states, each named {@code state/parameter}), {@code training.json}
 * ({@link TrainingState}) and {@code train.yaml} (the config).
 */
final class Checkpoint {
  static final String STATE = "training.json";
  static final String CONFIG = "train.yaml";
  static final String OPTIMIZER = "optimizer.safetensors";

  private static final ObjectMapper JSON = new ObjectMapper();

  private Checkpoint() {}

  /** Writes all files into a directory that nobody reads yet. */
  static void write(Path directory, Model model, Updater updater, TrainingState state, int groupsPerEpoch,
      TrainConfig config) throws IOException {
    ModelDirectory.save(model, directory);
    Weights weights = model.weights();
    try (Arena arena = Arena.ofConfined()) {
      List<SafeTensorsWriter.Tensor> tensors = new ArrayList<>();
      for (Map.Entry<String, Slab> s : updater.states().entrySet()) {
        for (Parameter p : weights.parameters()) {
          tensors.add(new SafeTensorsWriter.Tensor(s.getKey() + "/" + p.name(), weights.type(), p.shape(),
              weights.view(s.getValue(), p, arena)));
        }
      }
      SafeTensorsWriter.write(directory.resolve(OPTIMIZER), tensors, Map.of());
    }
    ObjectNode json = JSON.createObjectNode();
    json.put("step", state.step()).put("groups", state.groups()).put("seed", state.seed());
    state.lossScale().ifPresent(s -> json.put("loss_scale", s.value()).put("loss_scale_good_steps", s.good()));
    json.put("skipped", state.skipped()).put("groups_per_epoch", groupsPerEpoch);
    if (state.evaluationDue()) json.put("evaluation_due", true);
    if (!Double.isNaN(state.best())) json.put("best", state.best()).put("best_step", state.bestStep());
    Files.writeString(directory.resolve(STATE), json.toPrettyString() + "\n");
    Files.writeString(directory.resolve(CONFIG), config.toYaml());
  }

  /** @throws ModelException when the file is missing or broken */
  static TrainingState readState(Path directory) {
    Path file = directory.resolve(STATE);
    try {
      JsonNode json = JSON.readTree(Files.readString(file));
      for (String name : List.of("step", "groups", "seed")) {
        if (!json.path(name).isIntegralNumber()) {
          throw new ModelException(file, name + " is missing or no whole number");
        }
      }
      return new TrainingState(json.get("step").asLong(), json.get("groups").asLong(), json.get("seed").asLong(),
          json.path("best").asDouble(Double.NaN), json.path("best_step").asLong(0),
          json.has("loss_scale") ? Optional.of(new LossScale(json.get("loss_scale").asDouble(),
              json.path("loss_scale_good_steps").asInt())) : Optional.empty(),
          json.path("skipped").asLong(0), json.path("evaluation_due").asBoolean(false));
    } catch (IllegalArgumentException e) {
      throw new ModelException(file, e.getMessage(), e);
    } catch (IOException e) {
      throw new ModelException(file, "cannot be read: " + e, e);
    }
  }

  /** What tells other data from that of the run; nothing where the checkpoint does not say. */
  static OptionalInt readGroupsPerEpoch(Path directory) throws IOException {
    JsonNode json = JSON.readTree(Files.readString(directory.resolve(STATE))).path("groups_per_epoch");
    return json.isInt() ? OptionalInt.of(json.asInt()) : OptionalInt.empty();
  }

  /** Reads the optimizer's states into the updater. */
  static void readOptimizer(Path directory, Backend backend, Weights weights, Updater updater) {
    Path file = directory.resolve(OPTIMIZER);
    try (SafeTensorsFile tensors = SafeTensorsFile.open(file); Arena arena = Arena.ofConfined()) {
      for (Map.Entry<String, Slab> s : updater.states().entrySet()) {
        for (Parameter p : weights.parameters()) {
          String name = s.getKey() + "/" + p.name();
          if (!tensors.contains(name)) {
            throw new ModelException(file, "has no %s: was the run made with another optimizer?".formatted(name));
          }
          var host = arena.allocate(weights.spec(p).bytes(), Long.BYTES);
          tensors.copy(name, host, weights.type());
          backend.upload(host, host.byteSize(), weights.spanIn(s.getValue(), p));
        }
      }
    }
  }
}
