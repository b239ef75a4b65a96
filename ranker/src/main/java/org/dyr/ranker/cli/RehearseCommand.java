package org.dyr.ranker.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.device.Devices;
import org.dyr.nn.BertConfig;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.text.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/**
 * {@code dyr rehearse}: scores with a small model of its own making, as a first answer does. The launcher runs it after
 * a build and has the JVM keep the classes that it loaded (an AOT cache): the next first answer comes sooner.
 */
@Command(name = "rehearse", hidden = true,
    description = "Scores with a small model, to record the classes that take part.")
final class RehearseCommand implements Callable<Integer> {
  private static final List<String> WORDS = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "wrote", "it",
      "?", "she", ".");

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Override public Integer call() throws IOException {
    Path folder = Files.createTempDirectory("dyr-rehearse-");
    try {
      Path directory = folder.resolve("model"), pairs = folder.resolve("pairs.tsv");
      Files.write(folder.resolve("vocab.txt"), WORDS);
      Files.write(pairs, List.of("who wrote it?\tshe wrote it.", "who?\tshe."));
      BertConfig small = BertConfig.base().sized(32, 2, 2);
      try (Backend backend = Devices.open(common.device(), common.deviceOptions());
          Model model = Model.create(small, Tokenizer.load(folder.resolve("vocab.txt")), backend, common.seed())) {
        ModelDirectory.save(model, directory);
      }
      return Main.commandLine("score").execute("score", "--model", directory.toString(), "--pairs", pairs.toString(),
          "--out", folder.resolve("scores.txt").toString());
    } finally {
      try (Stream<Path> all = Files.walk(folder)) {
        for (Path file : all.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
      }
    }
  }
}
