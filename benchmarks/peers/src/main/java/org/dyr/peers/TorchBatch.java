package org.dyr.peers;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dyr.benchmarks.peers.Sequence;

/**
 * Sequences padded to the longest.
 *
 * @param places of these sequences among all of the job (B)
 * @param ids i64 (B,S); types likewise
 * @param positions i64 (S)
 * @param mask fp32 (B,1,1,S), 0 or, over padding, minus infinity; null where there is no padding
 */
record TorchBatch(int[] places, Tensor ids, Tensor types, Tensor positions, Tensor mask) {

  /** Batches of this many in the given order. */
  static List<TorchBatch> of(List<Sequence> all, int[] order, int size) {
    List<TorchBatch> batches = new ArrayList<>();
    for (Padded p : Padded.of(all, order, size)) batches.add(of(p));
    return batches;
  }

  private static TorchBatch of(Padded p) {
    int rows = p.places().length, length = p.longest();
    float[] hidden = new float[rows * length];
    boolean ragged = false;
    for (int b = 0; b < rows; b++) {
      for (int i = p.lengths()[b]; i < length; i++) {
        hidden[b * length + i] = Float.NEGATIVE_INFINITY;
        ragged = true;
      }
    }
    return new TorchBatch(p.places(), Tensor.create(p.ids(), rows, length), Tensor.create(p.types(), rows, length),
        torch.arange(new Scalar((long) length)).to(ScalarType.Long),
        ragged ? Tensor.create(hidden, rows, 1, 1, length) : null);
  }

  long sequences() {
    return places.length;
  }

  long length() {
    return positions.size(0);
  }

  /** The mask in the type of x, or none. */
  TensorOptional maskFor(Tensor x) {
    if (mask == null) return new TensorOptional();
    return new TensorOptional(x.scalar_type() == ScalarType.Float ? mask : mask.to(x.scalar_type()));
  }
}
