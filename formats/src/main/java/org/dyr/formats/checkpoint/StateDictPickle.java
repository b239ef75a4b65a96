package org.dyr.formats.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.formats.FormatException;

/**
 * Reads the pickle of a PyTorch state dict: an ordered dictionary of tensors, written with protocol 2. A pickle is a
 * program for a small stack machine that may call anything in Python by name. This machine knows the few names and
 * instructions that such a dictionary takes and refuses all others; it runs nothing. See <a
 * href="https://github.com/python/cpython/blob/main/Lib/pickletools.py">Python's list of the instructions</a>.
 */
final class StateDictPickle {
  /** What stands on the stack and is no value of ours. */
  private enum Special { MARK, NONE }

  private final Path path;
  private final ByteBuffer in;
  private final List<Object> stack = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();

  private StateDictPickle(Path path, byte[] pickle) {
    this.path = path;
    in = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** A run of elements in a file of its own within the archive. */
  record Storage(ElementType type, String key, long elements) {}

  /** A view of a storage; offset and strides count elements. */
  record Tensor(Storage storage, long offset, List<Long> dims, List<Long> strides) {}

  private record Tuple(List<Object> items) {}

  /** What a pickle may name. */
  private sealed interface Global {
    record OrderedDict() implements Global {}

    record RebuildTensor() implements Global {}

    record RebuildParameter() implements Global {}

    record StorageOf(ElementType type) implements Global {}
  }

  private static final Map<String, Global> GLOBALS = Map.ofEntries(
      Map.entry("collections.OrderedDict", new Global.OrderedDict()),
      Map.entry("torch._utils._rebuild_tensor_v2", new Global.RebuildTensor()),
      Map.entry("torch._utils._rebuild_parameter", new Global.RebuildParameter()),
      storage("DoubleStorage", ElementType.FLOAT64),
      storage("FloatStorage", ElementType.FLOAT32),
      storage("HalfStorage", ElementType.FLOAT16),
      storage("BFloat16Storage", ElementType.BFLOAT16),
      storage("LongStorage", ElementType.INT64),
      storage("IntStorage", ElementType.INT32),
      storage("ShortStorage", ElementType.INT16),
      storage("CharStorage", ElementType.INT8),
      storage("ByteStorage", ElementType.UINT8),
      storage("BoolStorage", ElementType.BOOL),
      storage("ComplexFloatStorage", ElementType.COMPLEX64));

  private static Map.Entry<String, Global> storage(String name, ElementType type) {
    return Map.entry("torch." + name, new Global.StorageOf(type));
  }

  /** Names of instructions that are refused, for messages; those of protocols up to 5. */
  private static final Map<Integer, String> REFUSED = Map.ofEntries(
      Map.entry((int) 'i', "INST"), Map.entry((int) 'o', "OBJ"), Map.entry((int) 'P', "PERSID"),
      Map.entry((int) 'I', "INT"), Map.entry((int) 'L', "LONG"), Map.entry((int) 'F', "FLOAT"),
      Map.entry((int) 'S', "STRING"), Map.entry((int) 'T', "BINSTRING"), Map.entry((int) 'U', "SHORT_BINSTRING"),
      Map.entry((int) 'V', "UNICODE"), Map.entry((int) 'd', "DICT"), Map.entry((int) 'l', "LIST"),
      Map.entry((int) 'p', "PUT"), Map.entry((int) 'g', "GET"), Map.entry((int) '0', "POP"),
      Map.entry((int) '1', "POP_MARK"), Map.entry((int) '2', "DUP"), Map.entry(0x81, "NEWOBJ"),
      Map.entry(0x82, "EXT1"), Map.entry(0x83, "EXT2"), Map.entry(0x84, "EXT4"), Map.entry(0x8b, "LONG4"),
      Map.entry((int) 'B', "BINBYTES"), Map.entry((int) 'C', "SHORT_BINBYTES"), Map.entry(0x8c, "SHORT_BINUNICODE"),
      Map.entry(0x8d, "BINUNICODE8"), Map.entry(0x8e, "BINBYTES8"), Map.entry(0x8f, "EMPTY_SET"),
      Map.entry(0x90, "ADDITEMS"), Map.entry(0x91, "FROZENSET"), Map.entry(0x92, "NEWOBJ_EX"),
      Map.entry(0x93, "STACK_GLOBAL"), Map.entry(0x94, "MEMOIZE"), Map.entry(0x95, "FRAME"),
      Map.entry(0x96, "BYTEARRAY8"), Map.entry(0x97, "NEXT_BUFFER"), Map.entry(0x98, "READONLY_BUFFER"));

  /**
   * The tensors by name, in their order.
   *
   * @param path for messages
   * @throws FormatException if the pickle is damaged, or holds or does anything else
   */
  static Map<String, Tensor> read(Path path, byte[] pickle) {
    return new StateDictPickle(path, pickle).run();
  }

  private FormatException wrong(int at, String problem) {
    return new FormatException(path, "data.pkl, byte " + at, problem);
  }

  private Map<String, Tensor> run() {
    if (in.remaining() < 2 || in.get() != (byte) 0x80 || in.get() != 2) {
      throw wrong(0, "no pickle of protocol 2, which PyTorch writes");
    }
    while (true) {
      int at = in.position();
      need(1, at);
      int code = in.get() & 0xff;
      if (code == '.') return tensors(pop(at), at);
      step(code, at);
    }
  }

  private void step(int code, int at) {
    switch (code) {
      case '(' -> push(Special.MARK);
      case 'N' -> push(Special.NONE);
      case 0x88 -> push(Boolean.TRUE);
      case 0x89 -> push(Boolean.FALSE);
      case 'K' -> push((long) (bytes(1, at).get() & 0xff));
      case 'M' -> push((long) (bytes(2, at).getShort() & 0xffff));
      case 'J' -> push((long) bytes(4, at).getInt());
      case 0x8a -> push(wide(at));
      case 'G' -> push(bytes(8, at).order(ByteOrder.BIG_ENDIAN).getDouble());
      case 'X' -> push(text(bytes(4, at).getInt(), at));
      case ')' -> push(new Tuple(List.of()));
      case 0x85 -> push(tuple(1, at));
      case 0x86 -> push(tuple(2, at));
      case 0x87 -> push(tuple(3, at));
      case 't' -> push(new Tuple(toMark(at)));
      case '}' -> push(new LinkedHashMap<Object, Object>());
      case ']' -> push(new ArrayList<Object>());
      case 'a' -> append(List.of(pop(at)), at);
      case 'e' -> append(toMark(at), at);
      case 's' -> {
        Object value = pop(at);
        put(List.of(pop(at), value), at);
      }
      case 'u' -> put(toMark(at), at);
      case 'q' -> memo.put(bytes(1, at).get() & 0xff, top(at));
      case 'r' -> memo.put(bytes(4, at).getInt(), top(at));
      case 'h' -> push(recall(bytes(1, at).get() & 0xff, at));
      case 'j' -> push(recall(bytes(4, at).getInt(), at));
      case 'c' -> push(global(at));
      case 'Q' -> push(storage(pop(at), at));
      case 'R' -> {
        Object arguments = pop(at);
        push(call(pop(at), arguments, at));
      }
      case 'b' -> build(pop(at), top(at), at);
      default -> throw wrong(at, "the instruction %s is not one that a dictionary of tensors takes".formatted(
          REFUSED.getOrDefault(code, "0x%02x".formatted(code))));
    }
  }

  private void need(int bytes, int at) {
    if (bytes < 0 || bytes > in.remaining()) throw wrong(at, "the pickle is cut off");
  }

  private ByteBuffer bytes(int count, int at) {
    need(count, at);
    ByteBuffer slice = in.slice(in.position(), count).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + count);
    return slice;
  }

  private String text(int length, int at) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes(length, at)).toString();
    } catch (CharacterCodingException e) {
      throw new FormatException(path, "data.pkl, byte " + at, "a text that is no valid UTF-8", e);
    }
  }

  /** A whole number of at most eight bytes, two's complement. */
  private long wide(int at) {
    int length = bytes(1, at).get() & 0xff;
    if (length > Long.BYTES) throw wrong(at, "a number of %d bytes".formatted(length));
    ByteBuffer b = bytes(length, at);
    long value = 0;
    for (int i = 0; i < length; i++) value |= (b.get(i) & 0xffL) << 8 * i;
    return length == 0 ? 0 : value << 64 - 8 * length >> 64 - 8 * length;
  }

  private void push(Object o) {
    stack.add(o);
  }

  private Object top(int at) {
    if (stack.isEmpty() || stack.getLast() == Special.MARK) throw wrong(at, "an instruction finds too few values");
    return stack.getLast();
  }

  private Object pop(int at) {
    Object o = top(at);
    stack.removeLast();
    return o;
  }

  private Tuple tuple(int items, int at) {
    Object[] all = new Object[items];
    for (int i = items - 1; i >= 0; i--) all[i] = pop(at);
    return new Tuple(List.of(all));
  }

  private List<Object> toMark(int at) {
    int mark = stack.size() - 1;
    while (mark >= 0 && stack.get(mark) != Special.MARK) mark--;
    if (mark < 0) throw wrong(at, "an instruction finds no mark");
    List<Object> above = stack.subList(mark + 1, stack.size());
    List<Object> items = List.copyOf(above);
    above.clear();
    stack.removeLast();
    return items;
  }

  private Object recall(int key, int at) {
    Object o = memo.get(key);
    if (o == null) throw wrong(at, "value %d is recalled before it is kept".formatted(key));
    return o;
  }

  @SuppressWarnings("unchecked")
  private void append(List<Object> items, int at) {
    if (!(top(at) instanceof ArrayList<?> list)) throw wrong(at, "something is appended to what is no list");
    ((ArrayList<Object>) list).addAll(items);
  }

  /** Keys are texts and numbers only: hashing anything else could go round in circles. */
  @SuppressWarnings("unchecked")
  private void put(List<Object> items, int at) {
    if (!(top(at) instanceof LinkedHashMap<?, ?> map) || items.size() % 2 != 0) {
      throw wrong(at, "something is put into what is no dictionary");
    }
    for (int i = 0; i < items.size(); i += 2) {
      Object key = items.get(i);
      if (!(key instanceof String) && !(key instanceof Long)) {
        throw wrong(at, "a key of a dictionary is neither a text nor a number");
      }
      ((LinkedHashMap<Object, Object>) map).put(key, items.get(i + 1));
    }
  }

  private Global global(int at) {
    String module = line(at);
    String name = module + "." + line(at);
    Global g = GLOBALS.get(name);
    if (g == null) {
      throw wrong(at, "it calls for %s, which has no place in a dictionary of tensors; nothing of it was run"
          .formatted(Shown.text(name)));
    }
    return g;
  }

  private String line(int at) {
    int begin = in.position();
    while (true) {
      need(1, at);
      if (in.get() == '\n') break;
    }
    return StandardCharsets.UTF_8.decode(in.slice(begin, in.position() - 1 - begin)).toString();
  }

  /** {@code ('storage', type, key, device, elements)}. */
  private Storage storage(Object id, int at) {
    if (id instanceof Tuple(List<Object> items) && items.size() == 5 && items.get(0).equals("storage")
        && items.get(1) instanceof Global.StorageOf(ElementType type) && items.get(2) instanceof String key
        && items.get(4) instanceof Long elements && elements >= 0) {
      return new Storage(type, key, elements);
    }
    throw wrong(at, "a reference to what is no storage");
  }

  private Object call(Object callee, Object arguments, int at) {
    List<Object> a = arguments instanceof Tuple(List<Object> items) ? items : null;
    return switch (callee) {
      case Global.OrderedDict _ when a != null && a.isEmpty() -> new LinkedHashMap<Object, Object>();
      case Global.RebuildParameter _ when a != null && a.size() == 3 && a.getFirst() instanceof Tensor t -> t;
      case Global.RebuildTensor _ when a != null && (a.size() == 6 || a.size() == 7) && a.get(0) instanceof Storage s
          && a.get(1) instanceof Long offset && a.get(2) instanceof Tuple dims && a.get(3) instanceof Tuple strides ->
          new Tensor(s, offset, longs(dims, at), longs(strides, at));
      case Global _ -> throw wrong(at, "a call with other arguments than PyTorch gives");
      default -> throw wrong(at, "a call of what cannot be called");
    };
  }

  private List<Long> longs(Tuple tuple, int at) {
    List<Long> out = new ArrayList<>();
    for (Object o : tuple.items) {
      if (!(o instanceof Long n)) throw wrong(at, "a size that is no whole number");
      out.add(n);
    }
    return out;
  }

  /** The attributes of an ordered dictionary, which hold the versions of modules, are left aside. */
  private void build(Object state, Object object, int at) {
    if (!(object instanceof LinkedHashMap<?, ?>) || !(state instanceof LinkedHashMap<?, ?>)) {
      throw wrong(at, "attributes are set on what is no dictionary (BUILD)");
    }
  }

  private Map<String, Tensor> tensors(Object result, int at) {
    if (!(result instanceof LinkedHashMap<?, ?> map)) throw wrong(at, "no dictionary of tensors");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    map.forEach((key, value) -> {
      if (!(key instanceof String name) || !(value instanceof Tensor tensor)) {
        throw wrong(at, "%s is no tensor: only a dictionary of tensors (state_dict) is read, not a whole training state"
            .formatted(Shown.text(String.valueOf(key))));
      }
      tensors.put(name, tensor);
    });
    return tensors;
  }
}
