package org.dyr.io;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A damaged file opens within its bounds or is refused by a {@link SafeTensorsException}; nothing else happens. */
class SafeTensorsFuzzTest {
  private static final int FILES = 4_000;
  private static final int HEADERS = 20_000;
  private static final byte[] TELLING = "{}[]\",:\\u0129-.eE \0tn\u007f\u00ff".getBytes(ISO_8859_1);

  @TempDir Path directory;

  private byte[] valid() throws IOException {
    Path path = directory.resolve("valid.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      SafeTensorsWriter.write(path, List.of(
          new SafeTensorsWriter.Tensor("a", DType.F32, Shape.of(2, 3), arena.allocate(24)),
          new SafeTensorsWriter.Tensor("é\"b", DType.BF16, Shape.of(0, 3), arena.allocate(0)),
          new SafeTensorsWriter.Tensor("c", DType.F16, Shape.of(5), arena.allocate(10)),
          new SafeTensorsWriter.Tensor("d", DType.I32, Shape.of(1), arena.allocate(4))), Map.of("format", "pt"));
    }
    return Files.readAllBytes(path);
  }

  private static byte[] damage(byte[] valid, Random random) {
    byte[] out = valid.clone();
    int edits = 1 + random.nextInt(4);
    for (int e = 0; e < edits; e++) {
      if (out.length < 2) return out;
      int at = random.nextInt(out.length);
      switch (random.nextInt(6)) {
        case 0 -> out[at] = (byte) random.nextInt();
        case 1 -> out[at] ^= (byte) (1 << random.nextInt(8));
        case 2 -> out[at] = TELLING[random.nextInt(TELLING.length)];
        case 3 -> { // a piece over another
          int n = Math.min(1 + random.nextInt(16), out.length - at);
          System.arraycopy(out, random.nextInt(out.length - n + 1), out, at, n);
        }
        case 4 -> { // a byte less or more
          byte[] next = Arrays.copyOf(out, out.length + (random.nextBoolean() ? 1 : -1));
          if (next.length > out.length) System.arraycopy(out, at, next, at + 1, out.length - at);
          else System.arraycopy(out, at + 1, next, at, next.length - at);
          out = next;
        }
        default -> {
          if (random.nextInt(8) == 0) out = Arrays.copyOf(out, at);
        }
      }
    }
    return out;
  }

  @Test
  void damagedFiles() throws IOException {
    byte[] valid = valid();
    Random random = new Random(20_260_101);
    int opened = 0;
    byte[] target = new byte[1 << 12];
    for (int i = 0; i < FILES; i++) {
      byte[] bytes = i < valid.length ? Arrays.copyOf(valid, i) : damage(valid, random);
      Path path = directory.resolve(i + ".safetensors"); // a new one each: truncating makes some file systems flush
      Files.write(path, bytes);
      try (SafeTensorsFile file = SafeTensorsFile.open(path)) {
        for (String name : file.names()) touch(file, name, target);
        opened++;
      } catch (SafeTensorsException e) {
        assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
      } catch (RuntimeException | Error e) {
        fail("file " + i + " of seed 20260101", e);
      }
      Files.delete(path);
    }
    assertTrue(opened > FILES / 100 && opened < FILES / 2, opened + " opened");
  }

  private static void touch(SafeTensorsFile file, String name, byte[] target) {
    SafeTensorsFile.Entry e = file.entry(name);
    assertTrue(file.segment(name).byteSize() == e.end() - e.begin());
    StoredType type = StoredType.named(e.dtype());
    if (Conversion.exists(type, DType.F64)) {
      file.copy(name, MemorySegment.ofArray(target).asSlice(0, 8 * e.elements()), DType.F64);
    }
  }

  /** The same without the disk, which leaves time for more of them. */
  @Test
  void damagedHeaders() throws IOException {
    byte[] valid = valid();
    int length = (int) ByteBuffer.wrap(valid).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    byte[] json = Arrays.copyOfRange(valid, 8, 8 + length);
    int dataBytes = valid.length - 8 - length;
    Random random = new Random(7);
    int read = 0;
    for (int i = 0; i < HEADERS; i++) {
      byte[] bytes = damage(json, random);
      try {
        for (SafeTensorsFile.Entry e : Header.parse(bytes, dataBytes, "damaged").entries().values()) {
          assertTrue(0 <= e.begin() && e.begin() <= e.end() && e.end() <= dataBytes, e.toString());
        }
        read++;
      } catch (SafeTensorsException e) {
        assertTrue(e.getMessage().startsWith("damaged"), e.getMessage());
      } catch (RuntimeException | Error e) {
        fail("header " + i + " of seed 7: " + new String(bytes, UTF_8), e);
      }
    }
    assertTrue(read > HEADERS / 100 && read < HEADERS / 2, read + " read");
  }
}
