package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import org.dyr.formats.FormatException;
import org.dyr.formats.checkpoint.MindSporeCheckpoint.Piece;

/** Some ranges of a file, one after the other. Moves no position of the channel, so several can be read at once. */
final class PieceStream extends InputStream {
  private final Path path;
  private final FileChannel file;
  private final List<Piece> pieces;
  private int piece;
  private long at; // in the file

  PieceStream(Path path, FileChannel file, List<Piece> pieces) {
    this.path = path;
    this.file = file;
    this.pieces = pieces;
    at = pieces.getFirst().begin();
  }

  @Override public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override public int read(byte[] into, int offset, int length) throws IOException {
    if (length == 0) return 0;
    while (at == pieces.get(piece).end()) {
      if (piece == pieces.size() - 1) return -1;
      at = pieces.get(++piece).begin();
    }
    long left = pieces.get(piece).end() - at;
    int read = file.read(ByteBuffer.wrap(into, offset, (int) Math.min(length, left)), at);
    if (read <= 0) throw new FormatException(path, "byte " + at, "the file became shorter while being read");
    at += read;
    return read;
  }
}
