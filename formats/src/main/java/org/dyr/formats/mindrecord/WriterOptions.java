package org.dyr.formats.mindrecord;

import java.util.List;

/**
 * How files are laid out.
 *
 * @param headerSize bytes before the first page, from 16 KiB to 128 MiB, a multiple of 4
 * @param pageSize bytes of a page, from 32 KiB to 256 MiB, a multiple of 4; a row must fit in one, its raw record and
 *     its blob record separately
 * @param version3 whether integers are packed, as every release of MindSpore does
 * @param shards files, from 1 to 1000
 * @param indexFields scalar columns that the index repeats; null for all of them, in the order of their names
 */
public record WriterOptions(int headerSize, int pageSize, boolean version3, int shards, List<String> indexFields) {
  private static final int MEBIBYTE = 1 << 20;

  public WriterOptions {
    require("header_size", headerSize, 16 << 10, 128 * MEBIBYTE);
    require("page_size", pageSize, 32 << 10, 256 * MEBIBYTE);
    if (shards < 1 || shards > 1000) throw new IllegalArgumentException("shards must be 1 to 1000, not " + shards);
    indexFields = indexFields == null ? null : List.copyOf(indexFields);
  }

  private static void require(String what, int size, int least, int most) {
    if (size < least || size > most || size % 4 != 0) {
      throw new IllegalArgumentException(
          what + " must be a multiple of 4 from " + least + " to " + most + ", not " + size);
    }
  }

  /**
   * MindSpore's own: 16 MiB, 32 MiB, version 3.0, all scalars indexed. What is not used of a page takes no disk space.
   */
  public static WriterOptions standard(int shards) {
    return new WriterOptions(16 * MEBIBYTE, 32 * MEBIBYTE, true, shards, null);
  }
}
