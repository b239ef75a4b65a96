package org.dyr.ranker.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.dyr.formats.FormatException;
import org.dyr.formats.mindrecord.MindRecordReader;
import org.dyr.formats.mindrecord.Schema;

/** Opens MindRecord data sets whose rows are to be of one kind. */
final class MindRecordFiles {
  private MindRecordFiles() {}

  /**
   * Opens a data set and holds its indexes, where there are any, against its pages.
   *
   * @param path a file, which brings all shards that its header names; or a folder, of which every file is taken whose
   *     name contains {@code mindrecord} and does not end in {@code .db}, sorted by name
   * @param problem what keeps rows of a schema from being of the kind, or null
   * @throws FormatException when a file is damaged or missing, the files do not belong together, an index disagrees, or
   *     there is a problem
   * @throws DataException for a folder without such files
   * @throws UncheckedIOException when a file cannot be read
   */
  static MindRecordReader open(Path path, Function<Schema, String> problem) {
    MindRecordReader reader = Files.isDirectory(path)
        ? MindRecordReader.open(files(path)) : MindRecordReader.open(path);
    try {
      String found = problem.apply(reader.schema());
      if (found != null) throw new FormatException(reader.files().getFirst(), "schema", found);
      reader.checkIndexes();
      return reader;
    } catch (RuntimeException | Error e) {
      try {
        reader.close();
      } catch (UncheckedIOException closing) {
        e.addSuppressed(closing);
      }
      throw e;
    }
  }

  private static List<Path> files(Path folder) {
    try (Stream<Path> all = Files.list(folder)) {
      List<Path> files = all.filter(Files::isRegularFile).filter(file -> {
        String name = file.getFileName().toString();
        return name.contains("mindrecord") && !name.endsWith(".db");
      }).sorted().toList();
      if (files.isEmpty()) throw new DataException(folder, "no file there has a name with mindrecord in it");
      return files;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
