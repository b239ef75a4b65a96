package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.dyr.formats.FormatException;
import org.dyr.formats.checkpoint.BertNames;
import org.dyr.formats.checkpoint.BertNames.Dialect;
import org.dyr.formats.checkpoint.ElementType;
import org.dyr.formats.checkpoint.MindSporeCheckpoint;
import org.dyr.formats.checkpoint.MindSporeCheckpointWriter;
import org.dyr.formats.checkpoint.MindSporeCheckpointWriter.Scalars;
import org.dyr.formats.checkpoint.StoredTensor;
import org.dyr.formats.checkpoint.TensorFile;
import org.dyr.formats.checkpoint.TensorFiles;
import org.dyr.io.SafeTensorsWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr convert}: a model from the files of one framework into those of another, bit for bit. */
@Command(
    name = "convert",
    sortOptions = false,
    description = "Converts a model between MindSpore checkpoints (.ckpt), Hugging Face directories and safetensors;"
        + " reads pytorch_model.bin too. Types and bits of the values stay as they are.",
    footer = {
      "",
      "What a path is, its name tells: .ckpt, .safetensors, .bin, and a directory otherwise. A directory is written"
          + " with config.json and vocab.txt or tokenizer.json; those are taken from where the model comes from unless"
          + " named here."})
final class ConvertCommand implements Callable<Integer> {

  /** Whose names the tensors are given. */
  enum Names {
    HUGGINGFACE, MINDSPORE, KEEP;

    @Override public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What is written. */
  enum Target {
    CHECKPOINT("MindSpore checkpoint", Names.MINDSPORE),
    SAFETENSORS("safetensors file", Names.HUGGINGFACE),
    DIRECTORY("Hugging Face directory", Names.HUGGINGFACE);

    final String words;
    final Names names;

    Target(String words, Names names) {
      this.words = words;
      this.names = names;
    }
  }

  /** The tensors to be written and, for messages, what they are called in the source. */
  private record Chosen(List<StoredTensor> tensors, List<String> sources) { }

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--from", required = true, paramLabel = "PATH", description = "The model to read.")
  private Path from;

  @Option(names = "--to", required = true, paramLabel = "PATH",
      description = "What to write; a directory must be new or empty.")
  private Path to;

  @Option(names = "--config", paramLabel = "FILE", description = "The config.json of a directory that is written.")
  private Path config;

  @Option(names = "--vocab", paramLabel = "FILE",
      description = "The vocab.txt or tokenizer.json of a directory that is written; a tokenizer_config.json or"
      + " special_tokens_map.json beside it comes along.")
  private Path vocabulary;

  @Option(names = "--names", paramLabel = "WHOSE",
      description = "Names given to the tensors: ${COMPLETION-CANDIDATES}; without"
      + " it those of the target. With keep all tensors are taken, an optimizer's among them.")
  private Names names;

  @Option(names = "--checksum",
      description = "End a MindSpore checkpoint with a CRC-32 (read since MindSpore 2.3, June 2024).")
  private boolean checksum;

  @Override public Integer call() throws IOException {
    Target target = target();
    PrintWriter out = spec.commandLine().getOut();
    try (TensorFile source = TensorFiles.open(from)) {
      out.println("from     %s: %s, %d tensors".formatted(from, source.format(), source.tensors().size()));
      Names whose = names == null ? target.names : names;
      Chosen chosen = whose == Names.KEEP ? keep(source, target, out) : place(source, target, whose, out);
      write(source, target, whose, chosen.tensors, out);
      long bytes = 0;
      for (int i = 0; i < chosen.tensors.size(); i++) {
        StoredTensor t = chosen.tensors.get(i);
        String was = chosen.sources.get(i);
        out.println("tensor   %s%s  %s %s".formatted(t.name(), was.equals(t.name()) ? "" : " <- " + was, t.type(),
            t.dims()));
        bytes += t.bytes();
      }
      out.println("to       %s: %s, %d tensors, %d bytes of values".formatted(to, target.words, chosen.tensors.size(),
          bytes));
    }
    return 0;
  }

  private Target target() throws IOException {
    String name = to.toAbsolutePath().normalize().getFileName() == null ? ""
        : to.getFileName().toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".bin") || name.endsWith(".pt") || name.endsWith(".pth")) {
      throw usage("--to %s: PyTorch's own files are read, not written; PyTorch's users read .safetensors".formatted(
          to));
    }
    Target target = Files.isDirectory(to) ? Target.DIRECTORY
        : name.endsWith(".ckpt") ? Target.CHECKPOINT
        : name.endsWith(".safetensors") ? Target.SAFETENSORS : Target.DIRECTORY;
    if (target == Target.DIRECTORY && names != null && names != Names.HUGGINGFACE) {
      throw usage("--names %s: a Hugging Face directory has Hugging Face's names".formatted(names));
    }
    if (target != Target.DIRECTORY && (config != null || vocabulary != null)) {
      throw usage("--config and --vocab are for a directory, not for " + to);
    }
    if (target != Target.CHECKPOINT && checksum) throw usage("--checksum is for a .ckpt, not for " + to);
    return target;
  }

  private ParameterException usage(String problem) {
    return new ParameterException(spec.commandLine(), problem);
  }

  private static boolean holds(Target target, ElementType type) {
    return (target == Target.CHECKPOINT ? type.mindSpore() : type.safeTensors()) != null;
  }

  private static Chosen keep(TensorFile source, Target target, PrintWriter out) {
    List<StoredTensor> tensors = new ArrayList<>();
    for (StoredTensor t : source.tensors()) {
      if (holds(target, t.type())) tensors.add(t);
      else out.println("left out %s (a %s has no type %s)".formatted(t.name(), target.words, t.type()));
    }
    return new Chosen(tensors, tensors.stream().map(StoredTensor::name).toList());
  }

  private Chosen place(TensorFile source, Target target, Names whose, PrintWriter out) {
    Map<String, StoredTensor> byName = new HashMap<>();
    source.tensors().forEach(t -> byName.put(t.name(), t));
    Dialect dialect = whose == Names.MINDSPORE ? Dialect.MIND_SPORE : Dialect.HUGGING_FACE;
    BertNames.Placed placed = BertNames.place(source.tensors().stream().map(StoredTensor::name).toList(), dialect);
    if (placed.sources().isEmpty()) {
      throw new FormatException(from, "",
          "none of its %d names is that of a BERT's weight; --names keep takes them as they are"
          .formatted(byName.size()));
    }
    List<StoredTensor> tensors = new ArrayList<>();
    placed.sources().forEach((name, was) -> {
      StoredTensor t = byName.get(was);
      if (!holds(target, t.type())) {
        throw new FormatException(from, "tensor " + was, "a %s has no type %s".formatted(target.words, t.type()));
      }
      tensors.add(t.named(name));
    });
    if (!placed.prefix().isEmpty()) {
      out.println("prefix   %s stands before the names and is left off".formatted(placed.prefix()));
    }
    for (String name : placed.unplaced()) out.println("left out %s (%s)".formatted(name, why(name, dialect, placed)));
    for (String name : placed.missing()) out.println("missing  " + name);
    return new Chosen(tensors, List.copyOf(placed.sources().values()));
  }

  private static String why(String name, Dialect dialect, BertNames.Placed placed) {
    if (BertNames.isTrainingState(name)) return "state of a training run; --names keep takes it along";
    return BertNames.translate(name.substring(name.startsWith(placed.prefix()) ? placed.prefix().length() : 0), dialect)
        .map(n -> placed.sources().containsKey(n) ? "a second " + n : "not used where positions are relative")
        .orElse("no name of a BERT with one logit");
  }

  private void write(TensorFile source, Target target, Names whose, List<StoredTensor> tensors, PrintWriter out)
      throws IOException {
    switch (target) {
      case CHECKPOINT -> MindSporeCheckpointWriter.write(to, tensors, Scalars.ZERO, checksum);
      case SAFETENSORS -> {
        boolean mindSpore = whose == Names.MINDSPORE || whose == Names.KEEP && source instanceof MindSporeCheckpoint;
        SafeTensorsWriter.copy(to, stored(tensors), Map.of("format", mindSpore ? "ms" : "pt"));
      }
      case DIRECTORY -> {
        ConvertedDirectory directory = ConvertedDirectory.prepare(from, config, vocabulary);
        directory.check(tensors, from);
        if (source instanceof MindSporeCheckpoint) directory.mindSporeNote().ifPresent(out::println);
        directory.write(to, stored(tensors));
      }
    }
  }

  private static List<SafeTensorsWriter.Stored> stored(List<StoredTensor> tensors) {
    return tensors.stream().map(t -> new SafeTensorsWriter.Stored(t.name(), t.type().safeTensors(), t.dims(),
        t.content()::open)).toList();
  }
}
