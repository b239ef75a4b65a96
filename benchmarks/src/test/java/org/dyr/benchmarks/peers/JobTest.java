package org.dyr.benchmarks.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.dyr.benchmarks.peers.Job.Mode;
import org.dyr.benchmarks.peers.Job.Precision;
import org.dyr.benchmarks.peers.Job.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JobTest {

  @Test void aJobIsTheSameAfterACommandLine() {
    Job job = new Job(Mode.INFER, new Size(6, 384, 12), 0.1, Precision.BF16, 2, 32, "sdpa", Path.of("/tmp/a b.txt"));
    assertEquals(job, Job.of(job.arguments().toArray(String[]::new)));
  }

  @Test void sequencesAreTheSameAfterAFile(@TempDir Path folder) throws IOException {
    List<Sequence> all = List.of(new Sequence(new int[] {7, 8, 9}, 1), new Sequence(new int[] {1, 2, 3, 4}, 2));
    Sequence.write(all, folder.resolve("s"));
    List<Sequence> read = Sequence.read(folder.resolve("s"));
    assertEquals(2, read.size());
    assertArrayEquals(new int[] {1, 2, 3, 4}, read.get(1).ids());
    assertEquals(2, read.get(1).firstSegment());
    assertArrayEquals(new int[] {1, 0}, Sequence.longestFirst(read));
  }

  @Test void numbersFollowFromTheName() {
    float[] x = new Formula("bert.pooler.dense.weight").first(100_000);
    double sum = 0, squares = 0;
    for (float v : x) {
      sum += v;
      squares += v * v;
    }
    assertEquals(0, sum / x.length, 3e-4);
    assertEquals(0.02, Math.sqrt(squares / x.length), 2e-4);
    assertEquals(x[77], new Formula("bert.pooler.dense.weight").at(77));
    assertNotEquals(x[77], new Formula("classifier.weight").at(77));
    assertEquals(1, new Formula("bert.embeddings.LayerNorm.weight").at(3), 0.05);
  }
}
