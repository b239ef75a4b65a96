package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/**
 * A page as the header describes it.
 *
 * @param id its slot in the file
 * @param typeId for a blob page the id of its row group; for a raw page a counter
 * @param startRow first row of a blob page, counted in its shard
 * @param endRow one past the last
 * @param starts for a raw page where the records of each of its row groups begin
 * @param used bytes of the slot that are used
 */
record Page(long id, boolean blob, long typeId, long startRow, long endRow, List<Start> starts, long used) {

  /** Where the raw records of a row group begin. */
  record Start(long group, long offset) {
  }

  void writeTo(ArrayNode pages, int shard) {
    ObjectNode page = pages.addObject();
    page.put("end_row_id", endRow);
    page.put("page_id", id);
    page.put("page_size", used);
    page.put("page_type", blob ? "BLOB_DATA" : "RAW_DATA");
    page.put("page_type_id", typeId);
    ArrayNode groups = page.putArray("row_group_ids");
    for (Start start : starts) groups.addObject().put("id", start.group).put("offset", start.offset);
    page.put("shard_id", shard);
    page.put("start_row_id", startRow);
  }
}
