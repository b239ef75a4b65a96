package org.dyr.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class LossScaleTest {

  @Test void doublesAfterAThousandGoodStepsInARow() {
    LossScale s = LossScale.START;
    for (int i = 0; i < 999; i++) s = s.after(true);
    assertEquals(new LossScale(65536, 999), s);
    assertEquals(new LossScale(131072, 0), s.after(true));
  }

  @Test void anOverflowHalvesAndCountsAnew() {
    LossScale s = LossScale.START.after(true).after(true).after(false);
    assertEquals(new LossScale(32768, 0), s);
    for (int i = 0; i < 1000; i++) s = s.after(true);
    assertEquals(new LossScale(65536, 0), s);
  }

  @Test void neverFallsBelowOneNorGrowsBeyondAFloat() {
    LossScale s = LossScale.START;
    for (int i = 0; i < 20; i++) s = s.after(false);
    assertEquals(new LossScale(1, 0), s);
    assertFalse(s.canFall());
    assertTrue(s.after(true).good() == 1 && LossScale.START.canFall());
    assertEquals(0x1p127, new LossScale(0x1p127, 999).after(true).value());
  }

  @Test void nonsenseIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new LossScale(0.5, 0));
    assertThrows(IllegalArgumentException.class, () -> new LossScale(Double.NaN, 0));
    assertThrows(IllegalArgumentException.class, () -> new LossScale(2, 1000));
  }
}
