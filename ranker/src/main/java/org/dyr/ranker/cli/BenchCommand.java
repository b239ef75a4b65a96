package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.device.Devices;
import org.dyr.device.KernelSet;
import org.dyr.device.Peak;
import org.dyr.graph.Profile;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelConfig;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * {@code dyr bench}: where the time of a step goes, on this machine: fresh weights, random tokens, every op beside the
 * ceiling that was measured first.
 */
@Command(name = "bench", sortOptions = false,
    description = "Times a training step or a batch of inference by op, beside this machine's measured ceilings.")
final class BenchCommand implements Callable<Integer> {
  private static final Pattern TOKENS = Pattern.compile("(\\d{1,6})[xX](\\d{1,6})");

  /** What is timed. */
  enum Mode { TRAIN, INFER }

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--model-config", required = true, paramLabel = "FILE", description = "config.json of a BERT.")
  private Path config;

  @ArgGroup(multiplicity = "1") private Sequences sequences;

  /** Of the batch: all of one length, or each of its own. */
  static final class Sequences {
    @Option(names = "--tokens", paramLabel = "SxL", description = "Sequences and their length, as 8x128.")
    private String tokens;

    @Option(names = "--lengths", paramLabel = "FILE",
        description = "In place of --tokens: a file with the length of every sequence, between blanks or newlines.")
    private Path lengths;

    private String name() {
      return tokens != null ? tokens : lengths.getFileName().toString();
    }
  }

  @Option(names = "--group", paramLabel = "N", description = "In training, sequences of a group (all are one).")
  private int group;

  @Option(names = "--token-budget", paramLabel = "N",
      description = "In training, most tokens of a micro-batch of whole groups (all at once).")
  private int budget = Integer.MAX_VALUE;

  @Option(names = "--mode", paramLabel = "MODE",
      description = "train: forward, backward, clip, Lamb; infer: scores alone (train).")
  private Mode mode = Mode.TRAIN;

  @Option(names = "--steps", paramLabel = "N", description = "Steps that are timed (5).")
  private int steps = 5;

  @Option(names = "--warm-up", paramLabel = "N", description = "Steps before those, while the compiler is at work (5).")
  private int warmUp = 5;

  @Option(names = "--fusions-off", paramLabel = "NAME", split = ",",
      description = "Fusions to leave out, of those that info lists.")
  private Set<String> fusionsOff = Set.of();

  @Override public Integer call() {
    if (steps < 1 || warmUp < 0) {
      throw new ParameterException(spec.commandLine(), "--steps must be at least 1, --warm-up at least 0");
    }
    int[] lengths = lengths();
    BertConfig bert = ModelConfig.read(config);
    requireSizes(lengths, bert.maxPositions());
    try (Backend backend = Devices.open(common.device(), common.deviceOptions())) {
      PrintWriter out = spec.commandLine().getOut();
      Peak peak = backend.measurePeak();
      out.println(String.format(Locale.ROOT,
          "ceilings: %.0f GFLOP/s fp32 multiply-add, %.0f bf16, %.1f GB/s copied, %d threads; kernels %s",
          peak.fp32() / 1e9, peak.bf16() / 1e9, peak.bytes() / 1e9, common.threads(),
          backend.kernelSets().stream().map(KernelSet::name).collect(Collectors.joining(", then "))));
      out.flush();
      Bert encoder = new Bert(bert.withMaxPositions(longest(lengths))); // attention is asked for no more than it takes
      DType compute = common.compute().type();
      try (Weights weights = mode == Mode.TRAIN ? new Weights(backend, DType.F32, encoder.parameters())
          : Weights.forScoring(backend, compute, encoder)) {
        weights.initialize(common.seed(), bert.initializerRange());
        Model model = new Model(encoder, weights, null, backend, compute);
        List<EncodedPair> pairs = pairs(model, lengths);
        if (mode == Mode.TRAIN) train(model, pairs, peak, out);
        else infer(model, pairs, peak, out);
      }
    }
    return 0;
  }

  private int[] lengths() {
    try {
      if (sequences.lengths != null) {
        String[] words = Files.readString(sequences.lengths).strip().split("\\s+");
        return Stream.of(words).mapToInt(Integer::parseInt).toArray();
      }
    } catch (NumberFormatException e) {
      throw new DataException(sequences.lengths, "has something else than whole numbers: " + e.getMessage());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Matcher shape = TOKENS.matcher(sequences.tokens);
    if (!shape.matches()) {
      throw new ParameterException(spec.commandLine(), "--tokens must be like 8x128, not " + sequences.tokens);
    }
    int[] lengths = new int[Integer.parseInt(shape.group(1))];
    Arrays.fill(lengths, Integer.parseInt(shape.group(2)));
    return lengths;
  }

  private void requireSizes(int[] lengths, int positions) {
    boolean train = mode == Mode.TRAIN;
    if (lengths.length < (train ? 2 : 1) || Arrays.stream(lengths).anyMatch(n -> n < 2 || n > positions)) {
      throw new ParameterException(spec.commandLine(), "%s: %s, of 2 to %d tokens".formatted(sequences.name(),
          train ? "a group has at least 2 sequences" : "at least 1 sequence", positions));
    }
    if (group < 0 || group == 1 || train && group > 0 && lengths.length % group != 0) {
      throw new ParameterException(spec.commandLine(), "--group must be at least 2 and divide the %d sequences"
          .formatted(lengths.length));
    }
    if (budget < 1) throw new ParameterException(spec.commandLine(), "--token-budget must be at least 1");
  }

  private static int longest(int[] lengths) {
    return Arrays.stream(lengths).max().getAsInt();
  }

  private void train(Model model, List<EncodedPair> pairs, Peak peak, PrintWriter out) {
    List<EncodedGroup> groups = new ArrayList<>();
    int each = group == 0 ? pairs.size() : group;
    for (int i = 0; i < pairs.size(); i += each) groups.add(EncodedGroup.of(pairs.subList(i, i + each)));
    StepSettings settings = new StepSettings(common.seed(), Math.min(budget, tokens(pairs))).without(fusionsOff);
    try (TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), 1, settings)) {
      long[] number = {0};
      time(profile -> {
        step.profile(profile);
        step.run(groups, number[0]++, 1e-6);
      }, tokens(pairs), peak, out);
    }
  }

  private void infer(Model model, List<EncodedPair> pairs, Peak peak, PrintWriter out) {
    try (Scorer scorer = new Scorer(model, fusionsOff)) {
      time(profile -> {
        scorer.profile(profile);
        scorer.score(pairs);
        if (profile != null) profile.endStep();
      }, tokens(pairs), peak, out);
    }
  }

  private static int tokens(List<EncodedPair> pairs) {
    return pairs.stream().mapToInt(EncodedPair::length).sum();
  }

  /** A step, its nodes timed where there is a profile. */
  @FunctionalInterface
  private interface Step {
    void run(Profile profile);
  }

  /** The steps once as they are, for the median, and once node by node. */
  private void time(Step step, int tokens, Peak peak, PrintWriter out) {
    for (int i = 0; i < warmUp; i++) step.run(null);
    double[] millis = new double[steps];
    for (int i = 0; i < steps; i++) {
      long start = System.nanoTime();
      step.run(null);
      millis[i] = (System.nanoTime() - start) / 1e6;
    }
    Arrays.sort(millis);
    double median = (millis[(steps - 1) / 2] + millis[steps / 2]) / 2;
    out.println(String.format(Locale.ROOT, "%s, %s, %s: %.1f ms, median of %d (%.1f to %.1f), %,.0f tokens/s%n",
        mode.name().toLowerCase(Locale.ROOT), sequences.name(), common.compute().text(), median, steps, millis[0],
        millis[steps - 1], tokens * 1e3 / median));
    Profile profile = new Profile();
    for (int i = 0; i < steps; i++) step.run(profile);
    out.print(profile.print(peak));
  }

  private List<EncodedPair> pairs(Model model, int[] lengths) {
    Random random = new Random(common.seed());
    int vocabulary = model.bert().config().vocabSize();
    List<EncodedPair> pairs = new ArrayList<>();
    for (int length : lengths) {
      pairs.add(new EncodedPair(random.ints(length, 0, vocabulary).toArray(), Math.max(1, length / 4)));
    }
    return pairs;
  }
}
