package org.dyr.graph;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.dyr.device.Backend;
import org.dyr.device.Slab;

/**
 * Programs by key (a {@link Bucket}, or a bucket and a mode), all in one workspace: a run's values need not outlive it.
 * A program that needs more than there is gets a larger workspace, and the others are prepared in it again when they
 * are next asked for. Not thread-safe.
 */
public final class ProgramCache<K> implements AutoCloseable {
  private final Backend backend;
  private final Function<K, Compiler.Compiled> compile;
  private final Map<K, Program> programs = new HashMap<>();
  private Slab workspace;

  /** A cache that compiles what it lacks. */
  public ProgramCache(Backend backend, Function<K, Compiler.Compiled> compile) {
    this.backend = backend;
    this.compile = compile;
  }

  /** The program for the key. */
  public Program get(K key) {
    Program p = programs.get(key);
    if (p == null) {
      Compiler.Compiled compiled = compile.apply(key);
      reserve(compiled.plan().bytes());
      p = compiled.program(backend, workspace);
      programs.put(key, p);
    }
    return p;
  }

  /** Has the workspace ready for programs of up to {@code bytes}. */
  public void reserve(long bytes) {
    if (workspace != null && workspace.bytes() >= bytes) return;
    close();
    workspace = backend.allocate(bytes, "workspace");
  }

  /** Bytes of the workspace now. */
  public long workspaceBytes() {
    return workspace == null ? 0 : workspace.bytes();
  }

  @Override public void close() {
    programs.values().forEach(Program::close);
    programs.clear();
    if (workspace != null) workspace.close();
    workspace = null;
  }
}
