package org.dyr.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** The vector width of all kernels of this package: the machine's own, at most 512 bits. */
final class Lanes {

  /** Narrows the width to 128, 256 or 512 bits, so that one machine can test all of them. Only ever read. */
  static final String PROPERTY = "dyr.vector.bits";

  static final VectorSpecies<Float> F =
      species(System.getProperty(PROPERTY), FloatVector.SPECIES_PREFERRED.vectorBitSize());

  /** Floats a vector. */
  static final int COUNT = F.length();

  /** Bytes a vector. */
  static final int BYTES = 4 * COUNT;

  private Lanes() {}

  /**
   * @param property the property's value, or null for the machine's own width
   * @param machine the widest vector of the machine in bits
   * @throws IllegalArgumentException if the property is not one of the three widths or wider than the machine
   */
  static VectorSpecies<Float> species(String property, int machine) {
    int bits = Math.min(machine, 512);
    if (property != null) {
      bits = switch (property.strip()) {
        case "128" -> 128;
        case "256" -> 256;
        case "512" -> 512;
        default -> throw new IllegalArgumentException(
            "-D%s=%s: must be 128, 256 or 512".formatted(PROPERTY, property));
      };
      if (bits > machine) {
        throw new IllegalArgumentException(
            "-D%s=%d: this machine's vectors have %d bits; leave the property out or narrow it"
                .formatted(PROPERTY, bits, machine));
      }
    }
    return VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
  }
}
