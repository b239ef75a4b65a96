package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.dyr.device.Backend;
import org.dyr.device.Devices;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.eval.MetricsReport;
import org.dyr.ranker.eval.PoolEvaluator;
import org.dyr.ranker.eval.Qrels;
import org.dyr.ranker.eval.RecordEvaluator;
import org.dyr.ranker.eval.Run;
import org.dyr.ranker.eval.RunWriter;
import org.dyr.ranker.eval.ScoredPool;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelSource;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.remote.Remote;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;
import org.dyr.ranker.train.EvalConfig;
import org.dyr.ranker.train.EvalFiles;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr eval}: scores the pool of a split, or ready-made pairs, and measures the ranking. */
@Command(name = "eval", sortOptions = false,
    description = "Scores the pool of a split, or the pairs of MindRecord files as the original does; writes"
        + " scores.tsv, run.trec and metrics.json, and prints the measures.",
    footer = {
      "",
      "--data DIR --split NAME --out DIR measures texts; --data FILE.mindrecord --ids FILE --qrels FILE measures pairs"
          + " that are tokens already. --config takes model and files of the latter from a configuration. Equal"
          + " scores rank by falling passage id, as in trec_eval."})
final class EvalCommand implements Callable<Integer> {
  private static final long TOKEN_CACHE_BYTES = 256L << 20;

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--config", paramLabel = "FILE",
      description = "A dyr_config.yaml of the original, or a training's configuration with eval_records.")
  private Path config;

  @Option(names = "--model", paramLabel = "PATH",
      description = "The model's directory, or a MindSpore checkpoint (.ckpt).")
  private Path model;

  @Mixin private CheckpointOption checkpoint;

  @Option(names = "--data", paramLabel = "PATH",
      description = "Folder of the data set; or, with --ids, MindRecord file or folder with a pair a row.")
  private Path data;

  @Option(names = "--split", paramLabel = "NAME", description = "Which queries, judgements and pool.")
  private String split;

  @Option(names = "--ids", paramLabel = "FILE", description = "qid pid of each row of MindRecord files, a line each.")
  private Path ids;

  @Option(names = "--qrels", paramLabel = "FILE", description = "Judgements for --ids: qid 0 pid grade.")
  private Path qrels;

  @Option(names = "--scores", paramLabel = "FILE", description = "With --ids, where qid<TAB>pid<TAB>score goes.")
  private Path scores;

  @Option(names = "--out", paramLabel = "DIR", description = "Where the files go.")
  private Path out;

  private Integer relevantFrom;

  @Option(names = "--relevant-from", paramLabel = "N", description = "Lowest grade that counts as relevant (1).")
  private void setRelevantFrom(int grade) {
    if (grade < 1) throw new ParameterException(spec.commandLine(), "--relevant-from must be at least 1, not " + grade);
    relevantFrom = grade;
  }

  @Override public Integer call() throws IOException {
    if (config == null && ids == null) texts();
    else records();
    return 0;
  }

  private void require(Object value, String option) {
    if (value == null) throw new ParameterException(spec.commandLine(), option + " is needed");
  }

  private void texts() throws IOException {
    require(model, "--model PATH");
    require(data, "--data PATH");
    require(split, "--split NAME (or --ids FILE, for MindRecord files)");
    require(out, "--out DIR");
    if (qrels != null || scores != null) {
      throw new ParameterException(spec.commandLine(), "--qrels and --scores go with --ids");
    }
    RankingData set = RankingData.load(data, split);
    Files.createDirectories(out);
    try (Backend backend = backend();
        Model loaded = checkpoint.source(model).loadForScoring(backend, common.compute().type());
        Scorer scorer = new Scorer(loaded, Set.of())) {
      PairEncoder encoder = loaded.encoder();
      TokenCache tokens = new TokenCache(loaded.tokenizer(), encoder.maxLength(), TOKEN_CACHE_BYTES);
      List<ScoredPool> pools;
      try (CountProgress progress = new CountProgress("queries", set.queries().size(), spec.commandLine().getErr())) {
        pools = new PoolEvaluator(scorer, encoder, tokens).score(set.queries(), progress::at);
      }
      RunWriter.writeScores(out.resolve("scores.tsv"), pools);
      report(pools, PoolEvaluator.qrels(set.queries()), relevantFrom == null ? 1 : relevantFrom);
      spec.commandLine().getOut().print("%,d passages and %,d queries were cut to fit\n".formatted(
          encoder.truncatedPassages(), encoder.truncatedQueries()));
    }
  }

  private Backend backend() {
    return Devices.open(common.device(), common.deviceOptions());
  }

  /** Writes and prints what a ranking is worth. */
  private Metrics report(List<ScoredPool> pools, Qrels judged, int from) throws IOException {
    Metrics metrics = Metrics.compute(judged, Run.of(pools), from);
    if (out != null) {
      RunWriter.writeTrec(out.resolve("run.trec"), pools, "dyr");
      MetricsReport.writeJson(out.resolve("metrics.json"), metrics);
    }
    spec.commandLine().getOut().print(MetricsReport.table(metrics));
    return metrics;
  }

  private void records() throws IOException {
    EvalConfig settings = config == null ? null : EvalConfig.load(config);
    EvalFiles files = settings == null ? EvalFiles.NONE : settings.files();
    Path source = given(model, settings == null ? Optional.empty() : settings.model(), "--model PATH",
        "load_finetune_checkpoint_path");
    Path records = given(data, files.records(), "--data PATH", "eval_records or eval_data_file_path");
    Path pairs = given(ids, files.ids(), "--ids FILE", "eval_ids or eval_ids_path");
    Path judged = given(qrels, files.qrels(), "--qrels FILE", "eval_qrels or eval_qrels_path");
    Optional<Path> target = Optional.ofNullable(scores).or(files::scores)
        .or(() -> Optional.ofNullable(out).map(folder -> folder.resolve("scores.tsv")));
    if (target.isEmpty()) throw new ParameterException(spec.commandLine(), "--scores FILE or --out DIR is needed");
    if (split != null) throw new ParameterException(spec.commandLine(), "--split is for a folder of texts");
    int from = relevantFrom != null ? relevantFrom : settings == null ? 1 : settings.relevantFrom();
    ModelSource where = settings == null ? checkpoint.source(source)
        : checkpoint.source(source, settings.vocab(), settings.heads());
    for (Path path : List.of(source, records, pairs, judged)) Remote.fetch(path);
    if (settings != null && settings.vocab().isPresent()) Remote.fetchVocabulary(settings.vocab().get());
    if (settings != null) settings.compare(where, note -> spec.commandLine().getErr().println(note));
    try (Backend backend = backend();
        Model loaded = where.loadForScoring(backend, common.compute().type());
        Scorer scorer = new Scorer(loaded, Set.of());
        RecordEvaluator evaluator =
            new RecordEvaluator(records, pairs, judged, loaded.bert().config())) {
      List<ScoredPool> pools;
      try (CountProgress progress = new CountProgress("pairs", evaluator.count(), spec.commandLine().getErr())) {
        pools = evaluator.score(scorer, target, progress::at);
      }
      Metrics metrics = report(pools, evaluator.qrels(), from);
      PrintWriter print = spec.commandLine().getOut();
      evaluator.gradesNote(from).ifPresent(note -> print.print(note + "\n"));
      print.print(RecordEvaluator.originalLine(metrics) + "\n");
      Remote.upload(target.get());
    }
  }

  /** What an option gives, or else the configuration. */
  private Path given(Path option, Optional<Path> configured, String name, String keys) {
    if (option != null) return option;
    return configured.orElseThrow(() -> new ParameterException(spec.commandLine(),
        name + " is needed" + (config == null ? "" : ": %s has no %s".formatted(config, keys))));
  }
}
