package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.ranker.bm25.Bm25;
import org.dyr.ranker.bm25.Bm25Settings;
import org.dyr.ranker.bm25.FalseNegatives;
import org.dyr.ranker.bm25.Miner;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.data.DataFolder;
import org.dyr.ranker.data.Passages;
import org.dyr.ranker.eval.PoolEvaluator;
import org.dyr.ranker.eval.Qrels;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;
import org.dyr.ranker.remote.Remote;
import org.dyr.ranker.remote.RemotePaths;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr mine}: the pool of a split, by BM25 over the collection. */
@Command(name = "mine", sortOptions = false,
    description = "Finds the best passages of the collection for every query of a split by BM25; writes"
        + " qid<TAB>pid<TAB>rank<TAB>score, the pool that negatives come from.",
    footer = {
      "",
      "The index is made anew, in memory or, for a big collection, in a temporary folder that is removed at the end."})
final class MineCommand implements Callable<Integer> {
  private static final long TOKEN_CACHE_BYTES = 256L << 20;
  /** Of the collection's file; a packed one counts four times. */
  private static final long BYTES_IN_MEMORY = 256L << 20;

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--data", required = true, paramLabel = "DIR",
      description = "Folder with collection.tsv and queries.<split>.tsv, plain or .gz.")
  private Path data;

  @Option(names = "--split", required = true, paramLabel = "NAME", description = "Which queries.")
  private String split;

  private int depth;

  @Option(names = "--k1", paramLabel = "X", description = "BM25's k1 (${DEFAULT-VALUE}).")
  private float k1 = Bm25Settings.K1;

  @Option(names = "--b", paramLabel = "X", description = "BM25's b (${DEFAULT-VALUE}).")
  private float b = Bm25Settings.B;

  @Option(names = "--analyzer", paramLabel = "NAME",
      description = "How texts become words, ${COMPLETION-CANDIDATES}: with English stems and without stop words, or as"
          + " they are (${DEFAULT-VALUE}).")
  private Bm25Settings.Analysis analysis = Bm25Settings.Analysis.ENGLISH;

  @Option(names = "--out", paramLabel = "FILE", description = "Where to (bm25.<split>.tsv in the data folder).")
  private Path out;

  @Option(names = "--force", description = "Replace the file when it is there already.")
  private boolean force;

  @Option(names = "--drop-above", paramLabel = "MARGIN",
      description = "Leave out passages not judged relevant whose logit, by --model, is greater than the query's best"
          + " relevant logit minus this: probable false negatives. Needs qrels.<split>.tsv.")
  private Double margin;

  @Option(names = "--model", paramLabel = "PATH",
      description = "The model's directory, or a MindSpore checkpoint (.ckpt), for --drop-above.")
  private Path model;

  @Mixin private CheckpointOption checkpoint;

  private int relevantFrom = 1;

  @Option(names = "--depth", required = true, paramLabel = "N", description = "Passages a query, at most.")
  private void setDepth(int n) {
    if (n < 1) throw new ParameterException(spec.commandLine(), "--depth must be at least 1, not " + n);
    depth = n;
  }

  @Option(names = "--relevant-from", paramLabel = "N", description = "Lowest grade that counts as relevant (1).")
  private void setRelevantFrom(int grade) {
    if (grade < 1) throw new ParameterException(spec.commandLine(), "--relevant-from must be at least 1, not " + grade);
    relevantFrom = grade;
  }

  @Override public Integer call() throws IOException {
    if ((margin == null) != (model == null)) {
      throw new ParameterException(spec.commandLine(), "--drop-above and --model go together");
    }
    if (margin != null && !Double.isFinite(margin)) {
      throw new ParameterException(spec.commandLine(), "--drop-above must be a finite number, not " + margin);
    }
    Bm25Settings settings;
    try {
      settings = new Bm25Settings(k1, b, analysis);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--" + e.getMessage());
    }
    DataFolder folder = new DataFolder(data);
    Path target = out != null ? out : data.resolve("bm25." + split + ".tsv");
    requireFree(target);
    Map<String, String> queries = folder.queries(split);
    Qrels qrels = margin == null ? null : Qrels.read(folder.require("qrels." + split + ".tsv"));
    try (Interrupt interrupt = new Interrupt(); Bm25 index = index(folder, settings, interrupt)) {
      if (margin == null) {
        mine(queries, index, Optional.empty(), target, interrupt);
      } else {
        mineWithModel(queries, index, qrels, target, interrupt);
      }
    }
    if (out == null) Remote.upload(target);
    return 0;
  }

  private void requireFree(Path target) {
    Path packed = target.resolveSibling(target.getFileName() + ".gz");
    for (Path there : new Path[] {target, packed}) {
      if (!force && Files.exists(there)) {
        throw new DataException(there, "is already there; --force " + (there == target ? "replaces it"
            : "writes " + target.getFileName() + " beside it, which is read in its place"));
      }
    }
  }

  private Bm25 index(DataFolder folder, Bm25Settings settings, Interrupt interrupt) throws IOException {
    try (Passages passages = folder.passages()) {
      long bytes = Files.size(passages.file()) * (passages.file().toString().endsWith(".gz") ? 4 : 1);
      Bm25.Place place = bytes > BYTES_IN_MEMORY ? Bm25.Place.TEMPORARY_FOLDER : Bm25.Place.MEMORY;
      PrintWriter err = spec.commandLine().getErr();
      err.println("indexing " + RemotePaths.text(passages.file()));
      err.flush();
      Bm25 index;
      try {
        index = new Bm25(() -> {
          stopWhere(interrupt);
          return passages.next();
        }, settings, place, margin != null);
      } catch (IllegalArgumentException e) {
        throw new DataException(passages.file(), e.getMessage());
      }
      err.println("%,d passages".formatted(index.size()));
      err.flush();
      return index;
    }
  }

  private static void stopWhere(Interrupt interrupt) {
    if (interrupt.requested()) throw new CancellationException("stopped; nothing is written");
  }

  private void mineWithModel(Map<String, String> queries, Bm25 index, Qrels qrels, Path target, Interrupt interrupt)
      throws IOException {
    DeviceOptions options = common.deviceOptions();
    try (Backend backend = Devices.open(common.device(), options);
        Model loaded = checkpoint.source(model).loadForScoring(backend, common.compute().type());
        Scorer scorer = new Scorer(loaded, Set.of())) {
      PairEncoder encoder = loaded.encoder();
      TokenCache tokens = new TokenCache(loaded.tokenizer(), encoder.maxLength(), TOKEN_CACHE_BYTES);
      FalseNegatives filter =
          new FalseNegatives(new PoolEvaluator(scorer, encoder, tokens), qrels, relevantFrom, margin);
      mine(queries, index, Optional.of(filter), target, interrupt);
      PrintWriter print = spec.commandLine().getOut();
      print.print("left out %,d of %,d passages not judged relevant: logit above the best relevant one's - %s\n"
          .formatted(filter.dropped(), filter.negatives(), margin));
      print.print("%,d queries have no relevant passage: nothing left out there\n"
          .formatted(filter.withoutRelevant()));
    }
  }

  private void mine(Map<String, String> queries, Bm25 index, Optional<FalseNegatives> filter, Path target,
      Interrupt interrupt) throws IOException {
    Miner.Summary done;
    try (CountProgress progress = new CountProgress("queries", queries.size(), spec.commandLine().getErr())) {
      done = new Miner(index, depth, common.threads(), filter).mine(queries, target, count -> {
        progress.at(count);
        stopWhere(interrupt);
      });
    }
    PrintWriter print = spec.commandLine().getOut();
    print.print("%,d passages for %,d queries, %,d of them without any: %s\n".formatted(done.lines(), done.queries(),
        done.withoutHits(), RemotePaths.text(target)));
    new DataFolder(data).find("candidates." + split + ".tsv").ifPresent(other -> print.print(
        RemotePaths.text(other) + " is there too and comes before a bm25 file in training and evaluation\n"));
  }
}
