package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.graph.ProgramCache;
import org.dyr.nn.Bert;
import org.dyr.nn.Pass;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What cannot be opened leaves nothing open: no slab, no thread. */
class GivingBackTest {
  @TempDir Path folder;
  private TinyData data;

  @BeforeEach
  void write() throws IOException {
    data = TinyData.write(folder);
  }

  @Test void aTrainingStepThatDoesNotFit() {
    try (CountingBackend backend = new CountingBackend(KernelSets.open("reference"));
        Model model = Model.create(TinyData.model(0), Tokenizer.load(folder.resolve("vocab.txt")), backend, 1)) {
      int slabs = 5; // gradients, the numbers of a step, two states of Lamb, the update's workspace
      for (int refused = 1; refused <= slabs; refused++) {
        backend.refuse(refused);
        assertThrows(OutOfDeviceMemory.class, () -> step(model));
        assertEquals(1, backend.live(), "the weights alone, slab %d refused".formatted(refused));
      }
      backend.refuse(slabs + 1);
      try (TrainingStep step = step(model)) {
        assertEquals(0, step.workspaceBytes(), "programs come with the first batch");
        assertEquals(1 + slabs, backend.live());
      }
      assertEquals(1, backend.live());
    }
  }

  private static TrainingStep step(Model model) {
    return new TrainingStep(model, new Optimizer.Lamb(), 1, new StepSettings(1, 64));
  }

  /** A batch that is too large for the device is an error; smaller ones run afterwards. */
  @Test void aWorkspaceThatIsRefused() {
    Bert bert = new Bert(TinyData.model(0));
    try (CountingBackend backend = new CountingBackend(KernelSets.open("reference"));
        Weights weights = new Weights(backend, DType.F32, bert.parameters())) {
      try (ProgramCache<Bucket> programs = new ProgramCache<>(backend, bucket -> {
        Pass pass = new Pass(weights, bucket, false);
        pass.graph().output("logits", bert.apply(pass));
        return new Compiler(backend).compile(pass.graph());
      })) {
        programs.get(new Bucket(32, 2, 1)).run();
        backend.refuse(1);
        assertThrows(OutOfDeviceMemory.class, () -> programs.get(new Bucket(64, 2, 1)));
        programs.get(new Bucket(32, 2, 1)).run();
      }
      assertEquals(1, backend.live(), "the weights alone");
    }
  }

  private static long workers() {
    return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("dyr-worker")).count();
  }

  @Test void aRunWithoutItsData() throws IOException {
    long before = workers();
    Files.delete(folder.resolve("queries.dev.tsv"));
    TrainConfig config = data.config(folder.resolve("run"), Map.of());
    DataException e = assertThrows(DataException.class, () -> Runs.train(config));
    assertTrue(e.getMessage().contains("queries.dev.tsv"), e.getMessage());
    assertEquals(before, workers());
  }

  /** What a ranker that was used gives back: its threads; and it leaves the JVM's properties as they were. */
  @Test void aRankerThatIsClosed() {
    Path directory = folder.resolve("model");
    try (Backend backend = KernelSets.open("reference");
        Model model = Model.create(TinyData.model(0), Tokenizer.load(folder.resolve("vocab.txt")), backend, 1)) {
      ModelDirectory.save(model, directory);
    }
    Ranker.load(directory).close(); // what loading classes does, it does once
    long before = workers();
    Properties properties = (Properties) System.getProperties().clone();
    try (Ranker ranker = Ranker.load(directory, "cpu", new DeviceOptions(3, "auto"))) {
      assertEquals(2, ranker.score("where", List.of("the river", "a town")).length);
      assertEquals(before + 2, workers(), "beside the caller");
    }
    assertEquals(before, workers());
    assertEquals(properties, System.getProperties());
  }

  @Test void aRankerWithoutItsModel() {
    long before = workers();
    assertThrows(RuntimeException.class, () -> Ranker.load(folder));
    assertEquals(before, workers());
  }
}
