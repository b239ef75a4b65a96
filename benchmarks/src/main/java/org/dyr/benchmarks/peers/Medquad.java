package org.dyr.benchmarks.peers;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dyr.benchmarks.peers.Job.Mode;
import org.dyr.ranker.data.Passage;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.data.TrainingSet;
import org.dyr.ranker.group.Group;
import org.dyr.ranker.group.GroupSampler;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.Tokenizer;

/** Pairs of MedQuAD, encoded by our tokenizer, up to 512 tokens; the data is not this project's. */
record Medquad(Path shared) {
  private static final int MAX_QUERY = 64;
  private static final long SEED = 42;

  /** From {@code DYR_SHARED}, a property or a variable, else the folder {@code ../shared}. */
  static Medquad find() {
    String variable = System.getenv("DYR_SHARED");
    return new Medquad(Path.of(System.getProperty("DYR_SHARED", variable == null ? "../shared" : variable)));
  }

  private Path data() {
    return shared.resolve("data/medquad");
  }

  private Path vocabulary() {
    return shared.resolve("data/bert-base-uncased-vocab.txt");
  }

  /** What is not there, or null. */
  String missing() {
    for (Path p : List.of(data(), vocabulary())) {
      if (!Files.exists(p)) return p + " is not there (DYR_SHARED names the folder)";
    }
    return null;
  }

  /** Whole groups in training order; in inference the eight best of BM25 for each query of the dev split. */
  List<Sequence> sequences(Mode mode, int count) {
    try (Tokenizer tokenizer = Tokenizer.load(vocabulary())) {
      PairEncoder encoder = new PairEncoder(tokenizer, Job.POSITIONS, MAX_QUERY);
      return mode == Mode.TRAIN ? groups(tokenizer, encoder, count) : pools(tokenizer, encoder, count);
    }
  }

  private List<Sequence> groups(Tokenizer tokenizer, PairEncoder encoder, int count) {
    TrainingSet set = TrainingSet.from(RankingData.load(data(), "train"));
    GroupSampler sampler = new GroupSampler(set, Job.GROUP, SEED, true);
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; sequences.size() < count; i++) {
      Group group = sampler.group(0, i);
      add(sequences, tokenizer, encoder, group.query().query(), group.passages());
    }
    return sequences;
  }

  private List<Sequence> pools(Tokenizer tokenizer, PairEncoder encoder, int count) {
    List<Sequence> sequences = new ArrayList<>();
    for (Query query : RankingData.load(data(), "dev").queries()) {
      if (sequences.size() >= count) break;
      add(sequences, tokenizer, encoder, query.text(),
          query.pool().stream().limit(Job.GROUP).map(Passage::text).toList());
    }
    return sequences.subList(0, count);
  }

  private static void add(List<Sequence> to, Tokenizer tokenizer, PairEncoder encoder, String query,
      List<String> passages) {
    int[] ids = tokenizer.encode(query);
    for (String passage : passages) {
      EncodedPair pair = encoder.encode(ids, tokenizer.encode(passage));
      to.add(new Sequence(pair.ids(), pair.firstSegment()));
    }
  }
}
