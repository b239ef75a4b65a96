package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.dyr.formats.checkpoint.BertNames;
import org.dyr.formats.checkpoint.ElementType;
import org.dyr.formats.checkpoint.MindSporeCheckpointWriter;
import org.dyr.formats.checkpoint.MindSporeCheckpointWriter.Scalars;
import org.dyr.formats.checkpoint.StoredTensor;
import org.dyr.formats.checkpoint.TensorFile;
import org.dyr.formats.checkpoint.TensorFiles;
import org.dyr.io.SafeTensorsWriter;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Parameter;
import org.dyr.op.Activation;
import org.dyr.ranker.text.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class ConvertTest {
  private static final BertConfig CONFIG =
      new BertConfig(11, 8, 2, 2, 12, Activation.Kind.GELU, 6, 2, 1e-12, 0.1, 0.1, 0.1, 0.02);
  private static final String JSON = """
      {"model_type": "bert", "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
       "intermediate_size": 12, "max_position_embeddings": 6, "num_labels": 1}
      """;
  private static final String WORDS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\n";

  private StringWriter out = new StringWriter();
  private StringWriter err = new StringWriter();

  @TempDir Path folder;
  private Path model;
  private Path config;
  private Path words;

  private int convert(String... args) {
    out = new StringWriter();
    err = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    line.setErr(new PrintWriter(err, true));
    return line.execute(Stream.concat(Stream.of("convert"), Stream.of(args)).toArray(String[]::new));
  }

  private int convert(Path from, Path to, String... more) {
    List<String> args = new ArrayList<>(List.of("--from", from.toString(), "--to", to.toString()));
    args.addAll(Arrays.asList(more));
    return convert(args.toArray(String[]::new));
  }

  private Path path(String name) {
    return folder.resolve(name);
  }

  private static byte[] random(String name, int bytes) {
    byte[] content = new byte[bytes];
    new Random(name.hashCode()).nextBytes(content);
    return content;
  }

  /** Every parameter with random bits, the layers' own as bf16. */
  @BeforeEach void writeModel() throws IOException {
    model = Files.createDirectory(path("model"));
    config = Files.writeString(model.resolve("config.json"), JSON);
    words = Files.writeString(model.resolve("vocab.txt"), WORDS);
    Files.writeString(model.resolve("tokenizer_config.json"), "{\"do_lower_case\": true}");
    List<SafeTensorsWriter.Stored> tensors = new ArrayList<>();
    for (Parameter p : new Bert(CONFIG).parameters()) {
      boolean half = p.name().contains(".layer.");
      List<Long> dims = Arrays.stream(p.shape().dims()).mapToObj(d -> (long) d).toList();
      byte[] bytes = random(p.name(), (int) p.shape().size() * (half ? 2 : 4));
      tensors.add(new SafeTensorsWriter.Stored(p.name(), half ? "BF16" : "F32", dims,
          () -> new ByteArrayInputStream(bytes)));
    }
    SafeTensorsWriter.copy(model.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
  }

  private static byte[] content(StoredTensor t) throws IOException {
    try (InputStream in = t.content().open()) {
      return in.readAllBytes();
    }
  }

  private static void assertSameTensors(Path expected, Path actual) throws IOException {
    try (TensorFile a = TensorFiles.open(expected); TensorFile b = TensorFiles.open(actual)) {
      assertEquals(a.tensors().size(), b.tensors().size());
      for (StoredTensor t : a.tensors()) {
        StoredTensor other = b.tensors().stream().filter(o -> o.name().equals(t.name())).findFirst().orElseThrow();
        assertEquals(t.type(), other.type(), t.name());
        assertEquals(t.dims(), other.dims(), t.name());
        assertArrayEquals(content(t), content(other), t.name());
      }
    }
  }

  @Test void aDirectoryGoesToACheckpointAndBackBitForBit() throws IOException {
    assertEquals(0, convert(model, path("m.ckpt")), err.toString());
    assertTrue(out.toString().contains("tensor   bert.dense_1.weight <- classifier.weight  FLOAT32 [1, 8]"),
        out.toString());
    assertFalse(out.toString().contains("left out"), out.toString());
    assertFalse(out.toString().contains("missing"), out.toString());
    assertEquals(0, convert(path("m.ckpt"), path("back"), "--config", config.toString(), "--vocab", words.toString()),
        err.toString());
    assertSameTensors(model, path("back"));
    assertEquals(JSON, Files.readString(path("back").resolve("config.json")));
    assertEquals(WORDS, Files.readString(path("back").resolve("vocab.txt")));
    assertTrue(out.toString().contains("note     MindSpore's DYR computes with layer_norm_eps 1e-7"), out.toString());
    assertEquals(0, convert(path("back"), path("again.ckpt")));
    assertEquals(-1, Files.mismatch(path("m.ckpt"), path("again.ckpt")));
  }

  @Test void relativePositionsGoToADirectoryAndBackBitForBit() throws IOException {
    List<StoredTensor> tensors = new ArrayList<>();
    for (Parameter p : new Bert(CONFIG.withRelativePositions(true)).parameters()) {
      List<Long> dims = Arrays.stream(p.shape().dims()).mapToObj(d -> (long) d).toList();
      byte[] bytes = random(p.name(), (int) p.shape().size() * 4);
      String name = BertNames.translate(p.name(), BertNames.Dialect.MIND_SPORE).orElseThrow();
      tensors.add(new StoredTensor(name, ElementType.FLOAT32, dims, bytes.length,
          () -> new ByteArrayInputStream(bytes)));
    }
    MindSporeCheckpointWriter.write(path("plain.ckpt"), tensors, Scalars.ZERO, false);
    String unused = "bert.bert.bert_embedding_postprocessor.full_position_embedding.embedding_table";
    tensors.add(2, new StoredTensor(unused, ElementType.FLOAT32, List.of(6L, 8L), 6 * 8 * 4,
        () -> new ByteArrayInputStream(new byte[6 * 8 * 4])));
    MindSporeCheckpointWriter.write(path("original.ckpt"), tensors, Scalars.ZERO, false);
    String[] named = {"--config", config.toString(), "--vocab", words.toString()};
    fails(1, "relative_positions.weight, but config.json says position_embedding_type absolute",
        "--from", path("original.ckpt").toString(), "--to", path("r").toString(), "--config", config.toString(),
        "--vocab", words.toString());
    Files.writeString(config, JSON.replace("{", "{\"position_embedding_type\": \"relative_key_value_clipped\", "));
    assertEquals(0, convert(path("original.ckpt"), path("r"), named), err.toString());
    assertTrue(out.toString().contains("left out " + unused + " (not used where positions are relative)"),
        out.toString());
    assertTrue(out.toString().contains("tensor   bert.encoder.layer.1.attention.self.relative_positions.weight <- "
        + "bert.bert.bert_encoder.layers.1.attention.attention._generate_relative_positions_embeddings."
        + "embeddings_table  FLOAT32 [33, 4]"), out.toString());
    assertFalse(out.toString().contains("missing"), out.toString());
    assertEquals(0, convert(path("r"), path("back.ckpt")), err.toString());
    assertSameTensors(path("plain.ckpt"), path("back.ckpt"));
    fails(1, "position_embeddings.weight, but config.json says position_embedding_type relative_key_value_clipped",
        "--from", model.toString(), "--to", path("a").toString());
  }

  @Test void aSafetensorsFileGoesThereAndBack() throws IOException {
    assertEquals(0, convert(model, path("m.ckpt"), "--checksum"), err.toString());
    assertEquals(0, convert(path("m.ckpt"), path("m.safetensors")), err.toString());
    assertSameTensors(model, path("m.safetensors"));
    assertEquals(0, convert(path("m.safetensors"), path("again.ckpt"), "--checksum"), err.toString());
    assertEquals(-1, Files.mismatch(path("m.ckpt"), path("again.ckpt")));
    assertEquals(0, convert(path("m.ckpt"), path("ms.safetensors"), "--names", "mindspore"), err.toString());
    assertEquals(0, convert(path("ms.safetensors"), path("hf.safetensors")), err.toString());
    assertEquals(-1, Files.mismatch(path("m.safetensors"), path("hf.safetensors")));
  }

  @Test void aDirectoryOfADirectoryBringsItsFilesAlong() throws IOException {
    Files.createDirectory(path("copy")); // empty
    assertEquals(0, convert(model, path("copy")), err.toString());
    assertSameTensors(model, path("copy"));
    assertTrue(Files.exists(path("copy").resolve("tokenizer_config.json")));
    assertEquals(1, convert(model, path("copy")));
    assertTrue(err.toString().contains("is there already and not empty"), err.toString());
  }

  @Test void aLinkStaysAndWhatItLeadsToIsFilled() throws IOException {
    Path real = Files.createDirectory(path("real"));
    Path link = Files.createSymbolicLink(path("link"), Path.of("real"));
    assertEquals(0, convert(model, link), err.toString());
    assertTrue(Files.isSymbolicLink(link));
    assertSameTensors(model, real);
    Path nowhere = Files.createSymbolicLink(path("nowhere"), Path.of("none"));
    fails(1, nowhere + ": is a link to what is not there", "--from", model.toString(), "--to", nowhere.toString());
    assertTrue(Files.isSymbolicLink(nowhere));
  }

  @Test void aNamedVocabularyBringsAlongHowItsTextIsRead() throws IOException {
    assertEquals(0, convert(model, path("m.ckpt")), err.toString());
    Path cased = Files.createDirectory(path("cased"));
    Path casedWords = Files.writeString(cased.resolve("words.txt"), WORDS.replace("\na\n", "\nA\n"));
    String settings = "{\"do_lower_case\": false}";
    Files.writeString(cased.resolve("tokenizer_config.json"), settings);
    for (Path from : List.of(path("m.ckpt"), model)) { // a directory's own settings belong to its own vocabulary
      Path to = path(from.getFileName() + "-directory");
      assertEquals(0, convert(from, to, "--config", config.toString(), "--vocab", casedWords.toString()),
          err.toString());
      assertEquals(settings, Files.readString(to.resolve("tokenizer_config.json")));
      try (Tokenizer tokenizer = Tokenizer.load(to)) {
        assertArrayEquals(new int[] {5, 1, 6}, tokenizer.encode("A a b"));
      }
    }
  }

  /** The weights of the model, what a training run holds besides, and a text. */
  private Path training() throws IOException {
    assertEquals(0, convert(model, path("weights.ckpt")));
    Path path = path("training.ckpt");
    try (TensorFile weights = TensorFiles.open(path("weights.ckpt"))) {
      List<StoredTensor> all = new ArrayList<>(weights.tensors());
      byte[] four = {1, 2, 3, 4};
      all.add(new StoredTensor("scale_sense", ElementType.FLOAT32, List.of(), 4, () -> new ByteArrayInputStream(four)));
      all.add(new StoredTensor("global_step", ElementType.INT32, List.of(1L), 4, () -> new ByteArrayInputStream(four)));
      for (StoredTensor t : weights.tensors()) all.add(t.named("lamb_m." + t.name()));
      all.add(new StoredTensor("remark", ElementType.TEXT, List.of(), 4,
          () -> new ByteArrayInputStream(new byte[] {'x', 0, 0, 0})));
      MindSporeCheckpointWriter.write(path, all, Scalars.ZERO, false);
    }
    return path;
  }

  @Test void whatIsNoWeightIsToldByName() throws IOException {
    assertEquals(0, convert(training(), path("m.safetensors")), err.toString());
    assertSameTensors(model, path("m.safetensors"));
    assertEquals(2 + 41 + 1, out.toString().lines().filter(l -> l.startsWith("left out ")).count());
    assertTrue(out.toString().contains("left out lamb_m.bert.dense_1.bias (state of a training run"), out.toString());
    assertTrue(out.toString().contains("left out remark (no name of a BERT"), out.toString());
  }

  @Test void withItsNamesKeptAWholeTrainingCheckpointGoesThereAndBack() throws IOException {
    Path training = training();
    assertEquals(0, convert(training, path("t.safetensors"), "--names", "keep"), err.toString());
    assertTrue(out.toString().contains("left out remark (a safetensors file has no type TEXT)"), out.toString());
    assertEquals(0, convert(path("t.safetensors"), path("t.ckpt"), "--names", "keep"), err.toString());
    byte[] whole = Files.readAllBytes(training);
    byte[] back = Files.readAllBytes(path("t.ckpt"));
    assertArrayEquals(Arrays.copyOf(whole, back.length), back); // all before the remark, which is last
    assertEquals(0, convert(training, path("all.ckpt"), "--names", "keep"), err.toString());
    assertEquals(-1, Files.mismatch(training, path("all.ckpt")));
  }

  @Test void whatIsMissingIsToldByName() throws IOException {
    try (TensorFile all = TensorFiles.open(model)) {
      List<StoredTensor> some = all.tensors().stream().filter(t -> !t.name().startsWith("classifier."))
          .map(t -> t.named("net." + t.name().replace("LayerNorm.weight", "LayerNorm.gamma"))).toList();
      MindSporeCheckpointWriter.write(path("some.ckpt"), some, Scalars.ZERO, false);
    }
    assertEquals(0, convert(path("some.ckpt"), path("some.safetensors")), err.toString());
    assertTrue(out.toString().contains("prefix   net. stands before the names"), out.toString());
    assertTrue(out.toString().contains("missing  classifier.weight\nmissing  classifier.bias\n"), out.toString());
    assertFalse(out.toString().contains("left out"), out.toString());
  }

  private void fails(int code, String why, String... args) throws IOException {
    try (Stream<Path> before = Files.list(folder)) {
      List<Path> there = before.sorted().toList();
      assertEquals(code, convert(args), err.toString());
      assertTrue(err.toString().contains(why), err.toString());
      try (Stream<Path> after = Files.list(folder)) {
        assertEquals(there, after.sorted().toList());
      }
    }
  }

  @Test void whatCannotBeDoneIsSaidAndLeavesNothing() throws IOException {
    assertEquals(0, convert(model, path("m.ckpt")));
    String ckpt = path("m.ckpt").toString();
    String to = path("new").toString();
    fails(1, "needs what is not there: config.json (--config FILE names it), and vocab.txt or tokenizer.json "
        + "(--vocab FILE names it)",
        "--from", ckpt, "--to", to);
    fails(1, "needs what is not there: vocab.txt", "--from", ckpt, "--to", to, "--config", config.toString());
    fails(1, "none.txt: no such file", "--from", ckpt, "--to", to, "--config", config.toString(), "--vocab",
        path("none.txt").toString());
    fails(1, "no such file", "--from", path("none.ckpt").toString(), "--to", to);
    fails(2, "read, not written", "--from", ckpt, "--to", path("m.bin").toString());
    fails(2, "--config and --vocab are for a directory", "--from", ckpt, "--to", path("m.safetensors").toString(),
        "--config",
        config.toString());
    fails(2, "--checksum is for a .ckpt", "--from", ckpt, "--to", to, "--checksum");
    fails(2, "has Hugging Face's names", "--from", ckpt, "--to", to, "--names", "keep");
    Files.writeString(config, JSON.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"));
    fails(1, "config.json says 1 layers", "--from", model.toString(), "--to", to);
    Files.writeString(config, JSON.replace("\"intermediate_size\": 12", "\"intermediate_size\": 13"));
    fails(1, "has the shape [12, 8], config.json asks for [13, 8]", "--from", model.toString(), "--to", to);
    Path notes = Files.writeString(path("notes.txt"), "words");
    fails(1, "neither a MindSpore checkpoint", "--from", notes.toString(), "--to", to);
    Path cut = Files.write(path("cut.ckpt"), Arrays.copyOf(Files.readAllBytes(path("m.ckpt")), 1000));
    fails(1, "cut short or damaged", "--from", cut.toString(), "--to", path("x.ckpt").toString());
    Path other = Files.copy(path("m.ckpt"), path("model.pth.ckpt"));
    Files.write(other, new byte[] {8, 1, 18, 0});
    fails(1, "parallel strategy", "--from", other.toString(), "--to", path("x.ckpt").toString());
  }
}
