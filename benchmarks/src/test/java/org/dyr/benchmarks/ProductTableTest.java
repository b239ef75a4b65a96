package org.dyr.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import org.dyr.benchmarks.Product.Pass;
import org.dyr.device.Peak;
import org.junit.jupiter.api.Test;

class ProductTableTest {

  @Test void aLayersProductsHaveItsSizes() {
    assertEquals("NT 1024x3072x768 fp32", Product.of(Pass.NT, 1024, 3072, 768, false).toString());
    assertEquals("NN 1024x768x3072 bf16", Product.of(Pass.NN, 1024, 3072, 768, true).toString());
    assertEquals("TN 3072x768x1024 fp32", Product.of(Pass.TN, 1024, 3072, 768, false).toString());
    for (Pass pass : Pass.values()) assertEquals(2.0 * 5 * 7 * 11, Product.of(pass, 5, 7, 11, false).flops());
  }

  @Test void aWeightsGradientIsOfNoWeightAndNotRounded() {
    assertFalse(Product.of(Pass.TN, 5, 7, 11, true).ofWeight());
    assertFalse(Product.of(Pass.TN, 5, 7, 11, true).rounded());
    assertTrue(Product.of(Pass.NN, 5, 7, 11, true).rounded());
    assertFalse(Product.of(Pass.NN, 5, 7, 11, false).rounded());
  }

  @Test void noProductIsMeasuredTwice() {
    List<Product> all = Product.all();
    assertEquals(2 * 3 * 2 * 6, all.size());
    assertEquals(all.size(), new HashSet<>(all).size());
  }

  @Test void linesHaveMediansAndPassesGeometricMeans() {
    ProductTable table = new ProductTable("none", 2, new Peak(2e12, 4e12, 1e9));
    double[][] first = {{2, 4, 3}, {3, 6, 6}, {1, 1, 2}, {6, 6, 6}};
    double[][] second = {{1, 1, 1}, {6, 6, 6}, {2, 2, 2}, {8, 8, 8}};
    table.add(new Product(Pass.NT, 1000, 1000, 1500, false), first);
    table.add(new Product(Pass.NT, 1000, 1000, 1000, false), second);
    table.add(new Product(Pass.TN, 1000, 1000, 4000, true), new double[][] {{4}, {2}, null, null});
    assertEquals("""
        Threads: 2; the peer is none. Multiply-add from registers: 2000 GFLOP/s fp32, 4000 bf16.

        | product | DYR ms | peer ms | peer, b packed ms | OpenBLAS ms | GFLOP/s | share of peak \
        | DYR / peer | DYR / peer, b packed | DYR / OpenBLAS |
        |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
        | NT 1000x1000x1500 fp32 | 3.00 | 6.00 | **1.00** | 6.00 | 1000 : 500 : 3000 : 500 | 50% : 25% : 150% : 25% \
        | 1.50 | 0.50 | 2.00 |
        | NT 1000x1000x1000 fp32 | **1.00** | 6.00 | 2.00 | 8.00 | 2000 : 333 : 1000 : 250 | 100% : 17% : 50% : 13% \
        | 6.00 | 2.00 | 8.00 |
        | TN 1000x1000x4000 bf16 | 4.00 | **2.00** | - | - | 2000 : 4000 : - : - | 50% : 100% : - : - | 0.50 | - | - |

        | pass | DYR / peer | DYR / peer, b packed | DYR / OpenBLAS |
        |---|---:|---:|---:|
        | NT fp32 | 3.00 | 1.00 | 4.00 |
        | TN bf16 | 0.50 | - | - |
        """, table.toString());
  }
}
