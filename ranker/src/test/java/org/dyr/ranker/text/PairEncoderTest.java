package org.dyr.ranker.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PairEncoderTest {

  @TempDir Path directory;
  private Tokenizer tokenizer;

  @BeforeEach void load() throws IOException {
    tokenizer = Tokenizer.load(Vocabularies.write(directory));
  }

  @AfterEach void close() {
    tokenizer.close();
  }

  @Test void laysOutClsQuerySepPassageSep() {
    PairEncoder encoder = new PairEncoder(tokenizer, 10, 3);
    EncodedPair pair = encoder.encode(new int[] {5, 6}, new int[] {7, 8, 9});
    assertArrayEquals(new int[] {2, 5, 6, 3, 7, 8, 9, 3}, pair.ids());
    assertEquals(4, pair.firstSegment());
    assertEquals(8, pair.length());
    assertEquals(0, encoder.truncatedPassages() + encoder.truncatedQueries());
  }

  @Test void cutsThePassageToFitAndTheQueryAtItsLimit() {
    PairEncoder encoder = new PairEncoder(tokenizer, 7, 3);
    assertArrayEquals(new int[] {2, 5, 3, 7, 8, 9, 3}, encoder.encode(new int[] {5}, new int[] {7, 8, 9}).ids());
    assertArrayEquals(new int[] {2, 5, 6, 3, 7, 8, 3},
        encoder.encode(new int[] {5, 6}, new int[] {7, 8, 9}).ids());
    assertArrayEquals(new int[] {2, 5, 6, 5, 3, 7, 3},
        encoder.encode(new int[] {5, 6, 5, 6}, new int[] {7}).ids());
    assertEquals(1, encoder.truncatedPassages());
    assertEquals(1, encoder.truncatedQueries());
  }

  @Test void emptyTextsKeepTheSpecialTokens() {
    EncodedPair pair = new PairEncoder(tokenizer, 5, 1).encode(new int[0], new int[0]);
    assertArrayEquals(new int[] {2, 3, 3}, pair.ids());
    assertEquals(2, pair.firstSegment());
  }

  @Test void limitsThatLeaveNoRoomAreAnError() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> new PairEncoder(tokenizer, 35, 32)).getMessage();
    assertTrue(message.contains("35") && message.contains("36"), message);
    assertThrows(IllegalArgumentException.class, () -> new PairEncoder(tokenizer, 35, 0));
    assertEquals(36, new PairEncoder(tokenizer, 36, 32).maxLength());
  }
}
