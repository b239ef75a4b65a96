package org.dyr.ranker.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.dyr.ranker.data.JsonLinesGroups;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.data.TrainingSet;
import org.dyr.ranker.group.GroupSampler;
import org.dyr.ranker.group.Preparation;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;
import org.dyr.ranker.text.Tokenizer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr prepare}: texts into files of groups. */
@Command(name = "prepare", sortOptions = false,
    description = "Writes the groups of one training epoch, tokenized, into MindRecord files, as DYR reads them.")
final class PrepareCommand implements Callable<Integer> {
  private static final long TOKEN_CACHE_BYTES = 256L << 20;

  /** Where the texts are. */
  static final class Source {
    @Option(names = "--data", required = true, paramLabel = "DIR", description = "A data folder, as for training.")
    private Path data;

    @Option(names = "--groups", required = true, paramLabel = "FILE", description = "Or a file of JSON-lines groups.")
    private Path groups;
  }

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @ArgGroup(multiplicity = "1")
  private Source source;

  @Option(names = "--split", paramLabel = "S", description = "The split of the data folder (train).")
  private String split = "train";

  @Option(names = "--vocab", required = true, paramLabel = "FILE",
      description = "vocab.txt or tokenizer.json, or a folder with either.")
  private Path vocabulary;

  @Option(names = "--out", required = true, paramLabel = "FILE",
      description = "The data file, such as train.mindrecord; its index gets .db behind that.")
  private Path out;

  @Option(names = "--group-size", paramLabel = "N", description = "Passages of a group, the positive included (8).")
  private int groupSize = 8;

  @Option(names = "--max-length", paramLabel = "N", description = "Tokens of a pair (512).")
  private int maxLength = 512;

  @Option(names = "--max-query-length", paramLabel = "N", description = "Tokens of a query (64).")
  private int maxQueryLength = 64;

  @Option(names = "--relevant-from", paramLabel = "N", description = "Lowest grade that counts as relevant (1).")
  private int relevantFrom = 1;

  private int epoch;
  private int shards = 1;

  @Option(names = "--packed", description = "Leave the padding out; input_mask then has the passage's number.")
  private boolean packed;

  @Option(names = "--epoch", paramLabel = "N", description = "The epoch whose groups and order to write, from 0 (0).")
  private void setEpoch(int number) {
    if (number < 0) throw new ParameterException(spec.commandLine(), "--epoch must be at least 0, not " + number);
    epoch = number;
  }

  @Option(names = "--shards", paramLabel = "N", description = "Files to spread the groups over (1).")
  private void setShards(int count) {
    if (count < 1 || count > 1000) {
      throw new ParameterException(spec.commandLine(), "--shards must be 1 to 1000, not " + count);
    }
    shards = count;
  }

  @Override public Integer call() {
    TrainingSet set = source.data != null
        ? TrainingSet.from(RankingData.load(source.data, split), relevantFrom) : JsonLinesGroups.load(source.groups);
    GroupSampler sampler = new GroupSampler(set, groupSize, common.seed(), true);
    try (Tokenizer tokenizer = Tokenizer.load(vocabulary)) {
      PairEncoder encoder = new PairEncoder(tokenizer, maxLength, maxQueryLength);
      TokenCache tokens = new TokenCache(tokenizer, maxLength, TOKEN_CACHE_BYTES);
      List<Path> files = new Preparation(sampler, tokens, encoder).write(out, epoch, shards, packed);
      spec.commandLine().getOut().println(
          ("%d groups of %d passages in %s%s; left out: %d queries, %d repeated passages; "
              + "cut: %d queries, %d passages").formatted(sampler.groupsPerEpoch(), groupSize, files.getFirst(),
              files.size() == 1 ? "" : " to " + files.getLast().getFileName(), set.leftOut().total(),
              set.repeated(), encoder.truncatedQueries(), encoder.truncatedPassages()));
    }
    return 0;
  }
}
