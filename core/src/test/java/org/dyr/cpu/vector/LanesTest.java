package org.dyr.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

final class LanesTest {

  @Test void takesTheMachinesWidthUpTo512() {
    assertEquals(8, Lanes.species(null, 256).length());
    assertEquals(16, Lanes.species(null, 512).length());
    assertEquals(16, Lanes.species(null, 2048).length());
  }

  @Test void thePropertyNarrows() {
    assertEquals(4, Lanes.species("128", 512).length());
    assertEquals(8, Lanes.species("256", 512).length());
    assertEquals(4, Lanes.species("128", 128).length());
  }

  @Test void refusesOtherWidths() {
    for (String bad : new String[] {"", "64", "wide", "1024"}) {
      String message = assertThrows(IllegalArgumentException.class, () -> Lanes.species(bad, 512)).getMessage();
      assertTrue(message.contains("dyr.vector.bits") && message.contains("128, 256 or 512"), message);
    }
    String message = assertThrows(IllegalArgumentException.class, () -> Lanes.species("512", 256)).getMessage();
    assertTrue(message.contains("256 bits"), message);
  }

  @Test void theConstantObeysTheProperty() {
    String bits = System.getProperty(Lanes.PROPERTY);
    if (bits != null) assertEquals(Integer.parseInt(bits), 8 * Lanes.BYTES);
    assertEquals(Lanes.BYTES, 4 * Lanes.COUNT);
  }
}
