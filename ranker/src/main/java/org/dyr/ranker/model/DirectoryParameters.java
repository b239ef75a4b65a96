package org.dyr.ranker.model;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dyr.io.ModelTensors;
import org.dyr.nn.Parameter;
import org.dyr.tensor.DType;

/** The tensors of a Hugging Face directory. */
final class DirectoryParameters implements ParameterSource {
  private static final String PREFIX = "bert.";

  private final ModelTensors tensors;

  DirectoryParameters(Path directory) {
    tensors = ModelTensors.open(directory);
  }

  @Override public boolean has(Parameter p) {
    return find(p.name()).isPresent();
  }

  /** The name as it stands, without the prefix (a bare BertModel), or with TensorFlow's names of layer norm. */
  private Optional<String> find(String name) {
    List<String> names = new ArrayList<>(List.of(name));
    if (name.startsWith(PREFIX)) names.add(name.substring(PREFIX.length()));
    for (String n : List.copyOf(names)) {
      if (!n.contains("LayerNorm")) continue;
      names.add(n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"));
    }
    return names.stream().filter(tensors::contains).findFirst();
  }

  @Override public void copy(Parameter p, MemorySegment to, DType as) {
    tensors.copy(checked(p), to, as);
  }

  @Override public Optional<MemorySegment> mapped(Parameter p, DType as) {
    return tensors.elements(checked(p), as);
  }

  /** The name of a parameter's tensor, which has its shape. */
  private String checked(Parameter p) {
    String name = find(p.name()).orElseThrow();
    List<Long> dims = tensors.entry(name).dims();
    if (!dims.equals(ParameterSource.dims(p))) {
      throw new ModelException(tensors.fileOf(name).path(),
          "%s has the shape %s, config.json asks for %s".formatted(name, dims, ParameterSource.dims(p)));
    }
    return name;
  }

  @Override public void close() {
    tensors.close();
  }
}
