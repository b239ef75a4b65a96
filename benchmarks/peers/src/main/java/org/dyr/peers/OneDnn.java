package org.dyr.peers;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.dnnl_version_t;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory.data_type;
import org.bytedeco.dnnl.memory.format_tag;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.dyr.benchmarks.Product;
import org.dyr.benchmarks.ProductPeer;

/** oneDNN's matmul through bytedeco's binding. A product's primitive is made once and executed at each call. */
public final class OneDnn implements ProductPeer {
  private final MethodHandle setThreads;
  private final engine cpu;
  private final stream calls;

  public OneDnn() {
    String binding = Loader.load(dnnl.class);
    // Looked for in the binding and what it needs: the very libgomp that oneDNN calls, should there be several.
    setThreads = Linker.nativeLinker().downcallHandle(
        SymbolLookup.libraryLookup(Path.of(binding), Arena.global()).find("omp_set_num_threads").orElseThrow(),
        FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT));
    cpu = new engine(engine.kind.cpu, 0);
    calls = new stream(cpu);
  }

  @Override public String title() {
    dnnl_version_t v = dnnl.version();
    return "oneDNN %d.%d.%d for %s".formatted(v.major(), v.minor(), v.patch(), dnnl.get_effective_cpu_isa());
  }

  @Override public Runnable prepare(Product p, int threads, boolean packed, long a, long b, long c) {
    threads(threads);
    data_type type = p.bf16() ? data_type.bf16 : data_type.f32;
    memory.desc left = matrix(p.m(), p.k(), type, layout(p.transposeA()));
    memory.desc right = matrix(p.k(), p.n(), type, layout(p.transposeB()));
    memory.desc out = matrix(p.m(), p.n(), p.rounded() ? data_type.bf16 : data_type.f32, format_tag.ab);
    memory.desc chosen = packed ? matrix(p.k(), p.n(), type, format_tag.any) : right;
    matmul.primitive_desc made = new matmul.primitive_desc(cpu, left, chosen, out);
    memory weights = new memory(right, cpu, new At(b));
    if (packed) {
      memory own = new memory(made.weights_desc(), cpu);
      new reorder(weights, own).execute(calls, weights, own);
      calls._wait();
      weights = own;
    }
    IntMemoryMap operands = new IntMemoryMap();
    operands.put(dnnl.DNNL_ARG_SRC, new memory(left, cpu, new At(a)));
    operands.put(dnnl.DNNL_ARG_WEIGHTS, weights);
    operands.put(dnnl.DNNL_ARG_DST, new memory(out, cpu, new At(c)));
    matmul product = new matmul(made);
    return () -> {
      product.execute(calls, operands);
      calls._wait();
    };
  }

  /** For what this thread prepares and calls from now on. */
  private void threads(int count) {
    try {
      setThreads.invokeExact(count);
    } catch (Throwable t) {
      throw new IllegalStateException("omp_set_num_threads cannot be called", t);
    }
  }

  /** Rows after rows as it is stored, of the matrix or of its transpose. */
  private static format_tag layout(boolean transposed) {
    return transposed ? format_tag.ba : format_tag.ab;
  }

  private static memory.desc matrix(long rows, long columns, data_type type, format_tag layout) {
    return new memory.desc(new long[] {rows, columns}, type, layout);
  }

  /** A pointer to memory that it does not own. */
  private static final class At extends Pointer {
    At(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }
}
