package org.dyr.ranker.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Ready-made groups, one JSON object a line: {@code {"query": "...", "pos": ["..."], "neg": ["..."]}}. Other keys are
 * ignored, blank lines are skipped. Within a group a text counts once, as a positive where it is both; what several
 * groups have is in memory once.
 */
public final class JsonLinesGroups {

  private static final JsonMapper MAPPER = JsonMapper.builder()
      .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
      .build();

  private final Lines lines;
  private final Map<String, String> shared = new HashMap<>();

  private JsonLinesGroups(Lines lines) {
    this.lines = lines;
  }

  /**
   * Loads a file, plain or {@code .gz}. Lines with an empty {@code pos} or {@code neg} are left out and counted.
   *
   * @throws DataException naming file and line when the file is unreadable, a line is not one JSON object, or one of
   *     the three keys is missing or has another type
   */
  public static TrainingSet load(Path file) {
    try (Lines lines = Lines.open(file)) {
      return new JsonLinesGroups(lines).read();
    }
  }

  private TrainingSet read() {
    TrainingSet.Collector collector = new TrainingSet.Collector();
    for (String line; (line = lines.next()) != null;) {
      if (line.isBlank()) continue;
      JsonNode group = parse(line);
      JsonNode query = group.path("query");
      if (!query.isTextual()) throw lines.wrong("\"query\" must be a string, it is " + kind(query));
      collector.add(new TrainingQuery(Long.toString(lines.number()), query.textValue(), texts(group, "pos"),
          texts(group, "neg")));
    }
    return collector.finish();
  }

  private JsonNode parse(String line) {
    JsonNode group;
    try {
      group = MAPPER.readTree(line);
    } catch (JsonProcessingException e) {
      String column = e.getLocation() == null ? "" : " at column " + e.getLocation().getColumnNr();
      String problem = "not valid JSON" + column + ": " + e.getOriginalMessage();
      throw new DataException(lines.file(), lines.number(), problem, e);
    }
    if (!group.isObject()) throw lines.wrong("must be a JSON object, it is " + kind(group));
    return group;
  }

  private List<String> texts(JsonNode group, String key) {
    JsonNode array = group.path(key);
    if (!array.isArray()) throw lines.wrong("\"" + key + "\" must be an array of strings, it is " + kind(array));
    List<String> texts = new ArrayList<>(array.size());
    for (JsonNode text : array) {
      if (!text.isTextual()) {
        throw lines.wrong("\"" + key + "\"[" + texts.size() + "] must be a string, it is " + kind(text));
      }
      texts.add(shared.computeIfAbsent(text.textValue(), same -> same));
    }
    return List.copyOf(texts);
  }

  private static String kind(JsonNode node) {
    return node.isMissingNode() ? "missing" : "of type " + node.getNodeType().name().toLowerCase(Locale.ROOT);
  }
}
