package org.dyr.ranker.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.dyr.formats.FormatException;
import org.dyr.formats.Inspector;
import org.dyr.formats.checkpoint.CheckpointInspector;
import org.dyr.formats.mindrecord.MindRecordInspector;
import org.dyr.formats.tfrecord.TfRecordInspector;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code dyr inspect}: what a file of another framework holds. */
@Command(name = "inspect", sortOptions = false,
    description = "Shows what a file holds: its schema, its counts, its first rows. The format is found by itself.")
final class InspectCommand implements Callable<Integer> {
  /** The formats, in the order in which they are asked whether a file is theirs. */
  private static final Map<String, Inspector> INSPECTORS = new LinkedHashMap<>();

  static {
    INSPECTORS.put("MindRecord", new MindRecordInspector());
    INSPECTORS.put("TFRecord", new TfRecordInspector());
    INSPECTORS.put("MindSpore checkpoint or safetensors", new CheckpointInspector());
  }

  private static final JsonMapper MAPPER = new JsonMapper();
  private static final int WIDTH = 120;
  private static final List<String> ROWS = List.of("rows", "records");

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Parameters(paramLabel = "FILE", description = "The file.")
  private Path file;

  private Integer rows;

  @Option(names = "--rows", paramLabel = "N", description = "How many rows to show (3; with --json all).")
  private void setRows(int count) {
    if (count < 0) throw new ParameterException(spec.commandLine(), "--rows must be at least 0, not " + count);
    rows = count;
  }

  @Option(names = "--json", description = "Print one JSON object, with every value whole.")
  private boolean json;

  @Override public Integer call() throws IOException {
    if (!Files.exists(file)) throw new NoSuchFileException(file.toString());
    if (!Files.isRegularFile(file)) throw new FormatException(file, "", "is no file");
    ObjectNode content = inspect();
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(MAPPER.writeValueAsString(content));
    } else {
      print(content, out);
    }
    return 0;
  }

  private ObjectNode inspect() throws IOException {
    for (Inspector inspector : INSPECTORS.values()) {
      if (inspector.reads(file)) return inspector.inspect(file, rows != null ? rows : json ? Integer.MAX_VALUE : 3);
    }
    throw new FormatException(file, "", "is of no format known here: " + String.join(", ", INSPECTORS.keySet()));
  }

  /** A line a fact, then the rows, a line a column; long lines are cut. */
  private static void print(ObjectNode content, PrintWriter out) throws JsonProcessingException {
    for (Map.Entry<String, JsonNode> entry : content.properties()) {
      if (!ROWS.contains(entry.getKey())) printTree(entry.getKey(), entry.getValue(), "", out);
    }
    for (String key : ROWS) {
      int number = 0;
      for (JsonNode row : content.path(key)) {
        out.println();
        out.println((key.equals("rows") ? "row " : "record ") + number++);
        for (Map.Entry<String, JsonNode> cell : row.properties()) printTree(cell.getKey(), cell.getValue(), "  ", out);
      }
    }
  }

  /** An object that fits in no line goes over several, one an entry. */
  private static void printTree(String name, JsonNode value, String indent, PrintWriter out)
      throws JsonProcessingException {
    String line = indent + name + ": " + (value.isTextual() ? value.textValue() : MAPPER.writeValueAsString(value));
    if (value.isObject() && line.length() > WIDTH && !value.has("values")) {
      out.println(indent + name + ":");
      for (Map.Entry<String, JsonNode> entry : value.properties()) {
        printTree(entry.getKey(), entry.getValue(), indent + "  ", out);
      }
    } else {
      out.println(line.length() <= WIDTH ? line : line.substring(0, WIDTH - 4) + " ...");
    }
  }
}
