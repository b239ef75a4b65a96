package org.dyr.formats.checkpoint;

import static org.dyr.formats.checkpoint.BertNames.Dialect.HUGGING_FACE;
import static org.dyr.formats.checkpoint.BertNames.Dialect.MIND_SPORE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.dyr.formats.checkpoint.BertNames.Placed;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Parameter;
import org.junit.jupiter.api.Test;

class BertNamesTest {
  private static List<String> huggingFace(int layers) {
    return new Bert(BertConfig.base().sized(24, layers, 2)).parameters().stream().map(Parameter::name).toList();
  }

  @Test void theRuleGivesTheNamesOfDyr() throws IOException {
    JsonNode list = new ObjectMapper().readTree(Samples.path("dyr-bert-base-parameters.json").toFile());
    List<String> mindSpore = new ArrayList<>();
    List<String> huggingFace = new ArrayList<>();
    list.forEach(n -> mindSpore.add(n.get("name").asText()));
    list.forEach(n -> huggingFace.add(n.get("hf").asText()));
    assertEquals(201, mindSpore.size());
    List<String> shuffled = new ArrayList<>(huggingFace);
    Collections.shuffle(shuffled, new Random(1));
    Placed there = BertNames.place(shuffled, MIND_SPORE);
    assertEquals(mindSpore, List.copyOf(there.sources().keySet()));
    assertEquals(huggingFace, List.copyOf(there.sources().values()));
    assertEquals(List.of(), there.missing());
    assertEquals(huggingFace, List.copyOf(BertNames.place(mindSpore, HUGGING_FACE).sources().keySet()));
  }

  @Test void theEnginesOwnNamesGoThereAndBackForAnyNumberOfLayers() {
    for (int layers : new int[] {1, 2, 11, 24}) {
      List<String> names = huggingFace(layers);
      Placed there = BertNames.place(names, MIND_SPORE);
      assertEquals(List.of(), there.unplaced());
      assertEquals(List.of(), there.missing());
      Placed back = BertNames.place(there.sources().keySet(), HUGGING_FACE);
      assertEquals(names.size(), back.sources().size());
      assertTrue(back.sources().keySet().containsAll(names));
      back.sources().forEach((hf, ms) -> assertEquals(hf, there.sources().get(ms)));
    }
  }

  @Test void relativePositionsTakeThePlaceOfAbsoluteOnes() {
    List<String> names = new Bert(BertConfig.base().sized(24, 2, 2).withRelativePositions(true)).parameters().stream()
        .map(Parameter::name).toList();
    String position = "bert.bert.bert_embedding_postprocessor.full_position_embedding.embedding_table";
    String table = "bert.bert.bert_encoder.layers.1.attention.attention._generate_relative_positions_embeddings."
        + "embeddings_table";
    Placed there = BertNames.place(names, MIND_SPORE);
    assertEquals(List.of(), there.unplaced());
    assertEquals(List.of(), there.missing());
    assertEquals("bert.encoder.layer.1.attention.self.relative_positions.weight", there.sources().get(table));
    List<String> order = List.copyOf(there.sources().keySet());
    assertTrue(order.get(order.indexOf(table) - 1).endsWith("layers.1.attention.attention.value_layer.bias"));
    List<String> checkpoint = new ArrayList<>(order);
    checkpoint.add(2, position); // the original has it all the same
    Placed back = BertNames.place(checkpoint.stream().map(n -> "network." + n).toList(), HUGGING_FACE);
    assertEquals(List.of("network." + position), back.unplaced());
    assertEquals(List.of(), back.missing());
    assertEquals(Set.copyOf(names), back.sources().keySet());
    checkpoint.remove(table);
    assertEquals(List.of("bert.encoder.layer.1.attention.self.relative_positions.weight"),
        BertNames.place(checkpoint, HUGGING_FACE).missing());
  }

  @Test void aliasesArePlaced() {
    assertEquals(Optional.of("bert.bert.bert_encoder.layers.3.output.layernorm.gamma"),
        BertNames.translate("encoder.layer.3.output.LayerNorm.gamma", MIND_SPORE));
    assertEquals(Optional.of("bert.embeddings.LayerNorm.bias"),
        BertNames.translate("bert.embeddings.LayerNorm.beta", HUGGING_FACE));
    assertEquals(Optional.of("bert.pooler.dense.bias"), BertNames.translate("pooler.dense.bias", HUGGING_FACE));
    assertEquals(Optional.of("bert.embeddings.position_embeddings.weight"),
        BertNames.translate("bert.bert.bert_embedding_postprocessor.full_position_embeddings", HUGGING_FACE));
    assertEquals(Optional.of("bert.embeddings.token_type_embeddings.weight"),
        BertNames.translate("bert.bert.bert_embedding_postprocessor.embedding_table", HUGGING_FACE));
  }

  @Test void whatNoBertHasIsNotTranslated() {
    for (String name : List.of("bert.encoder.layer.#.output.dense.bias", "bert.encoder.layer.01.output.dense.bias",
        "bert.encoder.layer.99999.output.dense.bias", "bert.encoder.layer.output.dense.bias",
        "bert.embeddings.position_ids",
        "bert.cls1.dense.weight", "lamb_m.bert.dense_1.weight", "", "layer.1.x",
        "bert.encoder.layers.0.output.dense.bias")) {
      assertEquals(Optional.empty(), BertNames.translate(name, HUGGING_FACE), name);
    }
  }

  @Test void theRightNameWinsOverItsAliasAndTheRestIsTold() {
    Placed p = BertNames.place(List.of("embeddings.LayerNorm.gamma", "bert.embeddings.position_ids",
        "bert.embeddings.LayerNorm.weight", "bert.encoder.layer.1.output.dense.bias"), MIND_SPORE);
    assertEquals("bert.embeddings.LayerNorm.weight",
        p.sources().get("bert.bert.bert_embedding_postprocessor.layernorm.gamma"));
    assertEquals(List.of("embeddings.LayerNorm.gamma", "bert.embeddings.position_ids"), p.unplaced());
    assertEquals(2, p.sources().size());
    assertEquals(9 + 2 * 16 - 2, p.missing().size());
    assertTrue(p.missing().contains("bert.dense_1.weight"));
    assertFalse(p.missing().contains("bert.bert.bert_encoder.layers.2.output.dense.bias"));
  }

  @Test void oneCommonPrefixIsLeftOff() {
    List<String> plain = List.copyOf(BertNames.place(huggingFace(2), MIND_SPORE).sources().keySet());
    for (String prefix : List.of("network.", "bert.", "x.y.")) {
      List<String> names = new ArrayList<>(plain.stream().map(n -> prefix + n).toList());
      names.add("lamb_m." + plain.getFirst());
      Placed p = BertNames.place(names, HUGGING_FACE);
      assertEquals(prefix, p.prefix());
      assertEquals(List.of(), p.missing());
      assertEquals(List.of("lamb_m." + plain.getFirst()), p.unplaced());
      assertEquals(prefix + "bert.dense_1.bias", p.sources().get("classifier.bias"));
    }
    Placed parallel = BertNames.place(huggingFace(1).stream().map(n -> "module." + n).toList(), MIND_SPORE);
    assertEquals("module.", parallel.prefix());
    assertEquals(List.of(), parallel.missing());
  }

  @Test void statesOfOptimizersAreNeverWeights() {
    List<String> states = BertNames.place(huggingFace(1), MIND_SPORE).sources().keySet().stream()
        .map(n -> "lamb_v." + n).toList();
    Placed p = BertNames.place(states, HUGGING_FACE);
    assertTrue(p.sources().isEmpty());
    assertEquals(states, p.unplaced());
  }
}
