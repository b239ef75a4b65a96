package org.dyr.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class ScheduleTest {

  @Test void warmsUpThenDecaysFromStepZero() {
    Schedule s = new Schedule(1e-5, 1e-7, 1, 100, 1000);
    assertEquals(0, s.at(0));
    assertEquals(5e-6, s.at(50), 1e-18);
    assertEquals(9.9e-6 * 0.9 + 1e-7, s.at(100), 1e-18);
    assertEquals(9.9e-6 * 0.5 + 1e-7, s.at(500), 1e-18);
    assertEquals(1e-7, s.at(1000), 1e-20);
    assertEquals(1e-7, s.at(5000), 1e-20);
  }

  @Test void powerBendsTheDecay() {
    assertEquals(3.0 * 0.25 + 1, new Schedule(4, 1, 2, 0, 10).at(5), 1e-12);
  }

  @Test void stepsThatDoNotFitAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Schedule(1, 0, 1, 2, 1));
    assertThrows(IllegalArgumentException.class, () -> new Schedule(1, 0, 1, -1, 1));
    assertThrows(IllegalArgumentException.class, () -> new Schedule(1, 0, 1, 0, 0));
  }
}
