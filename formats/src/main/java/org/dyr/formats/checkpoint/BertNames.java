package org.dyr.formats.checkpoint;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the parameters of a BERT with one logit are called by MindSpore's DYR and by Hugging Face's
 * BertForSequenceClassification. No tensor is transposed between the two: dense weights are (out, in) in both.
 *
 * <p>Relative positions are not Hugging Face's, and their tables' names there are this project's own. A model with them
 * has no embeddings of absolute positions; DYR's checkpoint holds those all the same, never trained, and they belong
 * nowhere.
 */
public final class BertNames {

  /** Whose names. */
  public enum Dialect { MIND_SPORE, HUGGING_FACE }

  /** One kind of parameter; {@code #} stands for the layer, counted from 0. */
  private record Row(String mindSpore, String huggingFace) {
    String in(Dialect dialect) {
      return dialect == Dialect.MIND_SPORE ? mindSpore : huggingFace;
    }

    boolean perLayer() {
      return huggingFace.contains("#");
    }
  }

  private static final String MS_EMBEDDING = "bert.bert.bert_embedding_postprocessor.";
  private static final String MS_LAYER = "bert.bert.bert_encoder.layers.#.";
  private static final String HF_LAYER = "bert.encoder.layer.#.";
  private static final String POSITIONS = "bert.embeddings.position_embeddings.weight";
  private static final String DISTANCES = "attention.self.relative_positions.weight";

  /** In the order of a DYR checkpoint; the rows of a layer stand together and repeat for each. */
  private static final List<Row> TABLE = List.of(
      new Row("bert.bert.bert_embedding_lookup.embedding_table", "bert.embeddings.word_embeddings.weight"),
      new Row(MS_EMBEDDING + "token_type_embedding.embedding_table", "bert.embeddings.token_type_embeddings.weight"),
      new Row(MS_EMBEDDING + "full_position_embedding.embedding_table", POSITIONS),
      new Row(MS_EMBEDDING + "layernorm.gamma", "bert.embeddings.LayerNorm.weight"),
      new Row(MS_EMBEDDING + "layernorm.beta", "bert.embeddings.LayerNorm.bias"),
      new Row(MS_LAYER + "attention.attention.query_layer.weight", HF_LAYER + "attention.self.query.weight"),
      new Row(MS_LAYER + "attention.attention.query_layer.bias", HF_LAYER + "attention.self.query.bias"),
      new Row(MS_LAYER + "attention.attention.key_layer.weight", HF_LAYER + "attention.self.key.weight"),
      new Row(MS_LAYER + "attention.attention.key_layer.bias", HF_LAYER + "attention.self.key.bias"),
      new Row(MS_LAYER + "attention.attention.value_layer.weight", HF_LAYER + "attention.self.value.weight"),
      new Row(MS_LAYER + "attention.attention.value_layer.bias", HF_LAYER + "attention.self.value.bias"),
      new Row(MS_LAYER + "attention.attention._generate_relative_positions_embeddings.embeddings_table",
          HF_LAYER + DISTANCES),
      new Row(MS_LAYER + "attention.output.dense.weight", HF_LAYER + "attention.output.dense.weight"),
      new Row(MS_LAYER + "attention.output.dense.bias", HF_LAYER + "attention.output.dense.bias"),
      new Row(MS_LAYER + "attention.output.layernorm.gamma", HF_LAYER + "attention.output.LayerNorm.weight"),
      new Row(MS_LAYER + "attention.output.layernorm.beta", HF_LAYER + "attention.output.LayerNorm.bias"),
      new Row(MS_LAYER + "intermediate.weight", HF_LAYER + "intermediate.dense.weight"),
      new Row(MS_LAYER + "intermediate.bias", HF_LAYER + "intermediate.dense.bias"),
      new Row(MS_LAYER + "output.dense.weight", HF_LAYER + "output.dense.weight"),
      new Row(MS_LAYER + "output.dense.bias", HF_LAYER + "output.dense.bias"),
      new Row(MS_LAYER + "output.layernorm.gamma", HF_LAYER + "output.LayerNorm.weight"),
      new Row(MS_LAYER + "output.layernorm.beta", HF_LAYER + "output.LayerNorm.bias"),
      new Row("bert.bert.dense.weight", "bert.pooler.dense.weight"),
      new Row("bert.bert.dense.bias", "bert.pooler.dense.bias"),
      new Row("bert.dense_1.weight", "classifier.weight"),
      new Row("bert.dense_1.bias", "classifier.bias"));

  /** MindSpore's names before about 2021. */
  private static final Map<String, String> OLD_MIND_SPORE = Map.of(
      MS_EMBEDDING + "embedding_table", MS_EMBEDDING + "token_type_embedding.embedding_table",
      MS_EMBEDDING + "full_position_embeddings", MS_EMBEDDING + "full_position_embedding.embedding_table");

  /** What names in a checkpoint of a training run begin with when they are not weights. */
  private static final List<String> OPTIMIZER_STATE = List.of(
      "lamb_m.", "lamb_v.", "adam_m.", "adam_v.", "moments.", "moment1.", "moment2.", "accum.");
  private static final Set<String> COUNTERS = Set.of(
      "scale_sense", "loss_scale", "global_step", "current_iterator_step", "last_overflow_iterator_step",
      "learning_rate", "momentum", "epoch_num", "step_num", "beta1_power", "beta2_power");

  private static final Pattern LAYER = Pattern.compile("(.*\\.|)(layers?)\\.(0|[1-9][0-9]{0,3})(\\..+)",
      Pattern.DOTALL);

  private static final Map<String, Integer> CANONICAL = new HashMap<>(); // pattern to row
  private static final Map<String, Integer> ALIASES = new HashMap<>();

  static {
    for (int i = 0; i < TABLE.size(); i++) {
      CANONICAL.put(TABLE.get(i).mindSpore, i);
      CANONICAL.put(TABLE.get(i).huggingFace, i);
    }
    for (int i = 0; i < TABLE.size(); i++) {
      String name = TABLE.get(i).huggingFace;
      String old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
      for (String n : List.of(name, old)) {
        ALIASES.put(n, i);
        if (n.startsWith("bert.")) ALIASES.put(n.substring("bert.".length()), i);
      }
    }
    OLD_MIND_SPORE.forEach((old, now) -> ALIASES.put(old, CANONICAL.get(now)));
    ALIASES.keySet().removeAll(CANONICAL.keySet());
  }

  /** A row and, for those of a layer, its number; in the order of a checkpoint. */
  private record Place(int row, int layer) implements Comparable<Place> {
    String name(Dialect dialect) {
      return TABLE.get(row).in(dialect).replace("#", String.valueOf(layer));
    }

    boolean isPosition() {
      return TABLE.get(row).huggingFace.equals(POSITIONS);
    }

    boolean isDistance() {
      return TABLE.get(row).huggingFace.endsWith(DISTANCES);
    }

    @Override public int compareTo(Place o) {
      boolean both = TABLE.get(row).perLayer() && TABLE.get(o.row).perLayer();
      return both && layer != o.layer ? Integer.compare(layer, o.layer) : Integer.compare(row, o.row);
    }
  }

  /**
   * Where the names of a file belong.
   *
   * @param sources  name in the dialect asked for to name in the file, in the order of a DYR checkpoint
   * @param unplaced names of the file that belong nowhere, in its order
   * @param missing  names in the dialect asked for that a model of as many layers has and the file has not
   * @param prefix   what stood before the names of the file; empty for nothing
   */
  public record Placed(Map<String, String> sources, List<String> unplaced, List<String> missing, String prefix) { }

  private BertNames() {}

  /**
   * The name of a parameter in a dialect, from its name or an alias in either; nothing if no BERT has such a
   * parameter.
   */
  public static Optional<String> translate(String name, Dialect to) {
    Place place = find(name, CANONICAL);
    if (place == null) place = find(name, ALIASES);
    return Optional.ofNullable(place).map(p -> p.name(to));
  }

  private static Place find(String name, Map<String, Integer> names) {
    Integer row = names.get(name);
    if (row != null) return TABLE.get(row).perLayer() ? null : new Place(row, 0); // a name with '#' itself is none
    Matcher m = LAYER.matcher(name);
    if (!m.matches()) return null;
    row = names.get(m.group(1) + m.group(2) + ".#" + m.group(4));
    return row == null ? null : new Place(row, Integer.parseInt(m.group(3)));
  }

  /**
   * Places the names of a file. A name that is right wins over an alias of it. If names of the model are missing then,
   * one prefix that makes a name of the file out of a missing one is looked for and left off wherever that places a
   * name, as MindSpore does when it loads; states of optimizers are not taken for weights so.
   */
  public static Placed place(Collection<String> names, Dialect wanted) {
    Map<Place, String> found = new TreeMap<>();
    Set<String> left = new LinkedHashSet<>(names);
    take(found, left, CANONICAL, "");
    take(found, left, ALIASES, "");
    String prefix = prefix(missing(found), left);
    if (!prefix.isEmpty()) {
      take(found, left, CANONICAL, prefix);
      take(found, left, ALIASES, prefix);
    }
    if (isRelative(found)) found.keySet().removeIf(Place::isPosition);
    Set<String> taken = new HashSet<>(found.values());
    Map<String, String> sources = new LinkedHashMap<>();
    found.forEach((place, name) -> sources.put(place.name(wanted), name));
    return new Placed(sources, names.stream().distinct().filter(name -> !taken.contains(name)).toList(),
        missing(found).stream().map(p -> p.name(wanted)).toList(), prefix);
  }

  private static void take(Map<Place, String> found, Set<String> left, Map<String, Integer> table, String prefix) {
    left.removeIf(name -> {
      if (!name.startsWith(prefix)) return false;
      Place place = find(name.substring(prefix.length()), table);
      return place != null && found.putIfAbsent(place, name) == null;
    });
  }

  private static boolean isRelative(Map<Place, String> found) {
    return found.keySet().stream().anyMatch(Place::isDistance);
  }

  /** What a model of as many layers as were found, of one at least, has besides. */
  private static List<Place> missing(Map<Place, String> found) {
    int layers = 1 + found.keySet().stream().mapToInt(Place::layer).max().orElse(0);
    Set<Place> all = new java.util.TreeSet<>();
    for (int row = 0; row < TABLE.size(); row++) {
      for (int layer = 0; layer < (TABLE.get(row).perLayer() ? layers : 1); layer++) all.add(new Place(row, layer));
    }
    boolean relative = isRelative(found);
    all.removeIf(p -> relative ? p.isPosition() : p.isDistance());
    all.removeAll(found.keySet());
    return new ArrayList<>(all);
  }

  private static String prefix(List<Place> missing, Set<String> left) {
    for (Place place : missing) {
      for (Dialect dialect : Dialect.values()) {
        String name = place.name(dialect);
        for (String n : left) {
          if (n.endsWith(name) && !isTrainingState(n)) return n.substring(0, n.length() - name.length());
        }
      }
    }
    return "";
  }

  /** Whether a name is that of an optimizer's state or a counter of a training run. */
  public static boolean isTrainingState(String name) {
    return COUNTERS.contains(name) || OPTIMIZER_STATE.stream().anyMatch(name::startsWith);
  }
}
