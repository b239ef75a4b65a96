package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.dyr.op.Attention;
import org.dyr.op.Update;
import org.junit.jupiter.api.Test;

/** The table leaves no op out. */
class OpCasesTest {

  @Test void everyOpOfTheCatalogueHasACase() {
    Set<Class<?>> covered = OpCases.all().stream().map(c -> c.op().getClass()).collect(Collectors.toSet());
    List<String> missing = Catalogue.all().stream().filter(c -> !covered.contains(c)).map(Class::getName).toList();
    assertEquals(List.of(), missing, "ops without a case in OpCases");
  }

  @Test void theCatalogueReachesNestedPrimitivesAndFusedOps() {
    assertTrue(Catalogue.all().containsAll(List.of(Update.Lamb.class, Attention.class, Attention.Grad.class)));
  }

  @Test void namesTellTheCasesApart() {
    Set<String> seen = new HashSet<>();
    for (OpCase c : OpCases.all()) assertTrue(seen.add(c.name()), () -> "two cases are called " + c.name());
  }
}
