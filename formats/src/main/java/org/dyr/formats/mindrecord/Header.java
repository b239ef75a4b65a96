package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The JSON at the start of a shard.
 *
 * @param indexFields columns that the index repeats, in its order
 * @param compressionSize bytes that integer packing saved in all shards; written only by version 3.0
 * @param shards the file names of all shards
 * @param shard which of them this one is
 * @param packed whether integers are packed: version 3.0
 */
record Header(int headerSize, int pageSize, List<String> indexFields, List<Page> pages, long compressionSize,
    Schema schema, List<String> shards, int shard, boolean packed) {

  static final int LENGTH_BYTES = Long.BYTES;
  static final int LARGEST_HEADER = 128 << 20;
  private static final int SMALLEST_HEADER = 16 << 10;
  private static final int SMALLEST_PAGE = 32 << 10;
  private static final int LARGEST_PAGE = 256 << 20;
  private static final int MOST_SHARDS = 1000;

  private static final JsonMapper MAPPER = JsonMapper.builder()
      .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
      .build();

  /** Where a page begins in the file. */
  long start(Page page) {
    return headerSize + page.id() * pageSize;
  }

  static JsonNode tree(byte[] json) throws Malformed {
    try {
      JsonNode tree = MAPPER.readTree(json);
      if (tree == null || !tree.isObject()) throw new Malformed("is no JSON object");
      return tree;
    } catch (JsonProcessingException e) {
      throw new Malformed("is no valid JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new Malformed("is no valid JSON: " + e.getMessage(), e);
    }
  }

  static Header parse(JsonNode json) throws Malformed {
    int headerSize = (int) whole(json, "header_size", SMALLEST_HEADER, LARGEST_HEADER);
    int pageSize = (int) whole(json, "page_size", SMALLEST_PAGE, LARGEST_PAGE);
    if (headerSize % 4 != 0 || pageSize % 4 != 0) throw new Malformed("header_size or page_size is no multiple of 4");
    String version = json.path("version").asText();
    if (!version.equals("2.0") && !version.equals("3.0")) {
      throw new Malformed("version is " + json.path("version") + ", neither \"2.0\" nor \"3.0\"");
    }
    JsonNode schemas = json.path("schema");
    if (!schemas.isArray() || schemas.size() != 1) throw new Malformed("\"schema\" is no array with one schema");
    Schema schema = Schema.parse(schemas.get(0));
    List<String> indexFields = new ArrayList<>();
    for (JsonNode field : array(json, "index_fields")) {
      String name = field.path("index_field").asText();
      if (schema.column(name) == null) throw new Malformed("index_fields has " + name + ", which is no column");
      indexFields.add(name);
    }
    List<Page> pages = new ArrayList<>();
    for (JsonNode page : array(json, "page")) {
      try {
        pages.add(page(page, pages.size(), pageSize));
      } catch (Malformed e) {
        throw new Malformed("page " + pages.size() + ": " + e.getMessage(), e);
      }
    }
    List<String> shards = new ArrayList<>();
    for (JsonNode shard : array(json, "shard_addresses")) shards.add(baseName(shard.asText()));
    if (shards.isEmpty() || shards.size() > MOST_SHARDS) throw new Malformed(shards.size() + " shard_addresses");
    long compression = json.has("compression_size") ? whole(json, "compression_size", 0, Long.MAX_VALUE) : 0;
    int shard = (int) whole(json, "shard_id", 0, shards.size() - 1);
    return new Header(headerSize, pageSize, indexFields, pages, compression, schema, shards, shard,
        version.equals("3.0"));
  }

  private static Page page(JsonNode json, int id, int pageSize) throws Malformed {
    if (whole(json, "page_id", 0, Integer.MAX_VALUE) != id) throw new Malformed("page_id is " + json.path("page_id"));
    String type = json.path("page_type").asText();
    if (!type.equals("BLOB_DATA") && !type.equals("RAW_DATA")) {
      throw new Malformed("page_type is " + json.path("page_type") + ", neither \"BLOB_DATA\" nor \"RAW_DATA\"");
    }
    long used = whole(json, "page_size", 0, pageSize);
    List<Page.Start> starts = new ArrayList<>();
    for (JsonNode group : array(json, "row_group_ids")) {
      starts.add(new Page.Start(whole(group, "id", 0, Integer.MAX_VALUE), whole(group, "offset", 0, used)));
    }
    long startRow = whole(json, "start_row_id", 0, Long.MAX_VALUE);
    long endRow = whole(json, "end_row_id", startRow, Long.MAX_VALUE);
    return new Page(id, type.equals("BLOB_DATA"), whole(json, "page_type_id", 0, Integer.MAX_VALUE), startRow, endRow,
        List.copyOf(starts), used);
  }

  /** What follows the last separator; old writers on Windows stored whole paths. */
  static String baseName(String address) throws Malformed {
    String name = address.substring(Math.max(address.lastIndexOf('/'), address.lastIndexOf('\\')) + 1);
    if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('\0') >= 0) {
      throw new Malformed("\"" + address + "\" is no file name");
    }
    return name;
  }

  private static JsonNode array(JsonNode json, String key) throws Malformed {
    JsonNode array = json.path(key);
    if (!array.isArray() && !array.isNull()) throw new Malformed("\"" + key + "\" is neither an array nor null");
    return array;
  }

  private static long whole(JsonNode json, String key, long least, long most) throws Malformed {
    JsonNode value = json.path(key);
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < least
        || value.longValue() > most) {
      throw new Malformed("\"" + key + "\" is " + (value.isMissingNode() ? "missing" : value) + ", not a number from "
          + least + " to " + most);
    }
    return value.longValue();
  }

  /** The JSON with its keys in MindSpore's order. */
  byte[] json() {
    ObjectNode json = MAPPER.createObjectNode();
    json.put("header_size", headerSize);
    if (indexFields.isEmpty()) {
      json.putNull("index_fields");
    } else {
      ArrayNode fields = json.putArray("index_fields");
      for (String field : indexFields) fields.addObject().put("index_field", field).put("schema_id", 0);
    }
    if (pages.isEmpty()) {
      json.putNull("page");
    } else {
      ArrayNode all = json.putArray("page");
      for (Page page : pages) page.writeTo(all, shard);
    }
    json.put("page_size", pageSize);
    if (packed) json.put("compression_size", compressionSize);
    json.putArray("schema").add(schema.json());
    ArrayNode names = json.putArray("shard_addresses");
    shards.forEach(names::add);
    json.put("shard_id", shard);
    json.putNull("statistics");
    json.put("version", packed ? "3.0" : "2.0");
    try {
      return MAPPER.writeValueAsBytes(json);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of texts and numbers has JSON", e);
    }
  }

  /** What keeps files from being opened together, or null. */
  String differsFrom(Header other) {
    if (headerSize != other.headerSize) return "header_size";
    if (pageSize != other.pageSize) return "page_size";
    if (packed != other.packed) return "version";
    if (!indexFields.equals(other.indexFields)) return "index_fields";
    return schema.equals(other.schema) ? null : "schema";
  }
}
