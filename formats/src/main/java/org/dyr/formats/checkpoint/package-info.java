/**
 * Files of named tensors that other frameworks write, read as streams and without touching a value. Start with {@link
 * org.dyr.formats.checkpoint.TensorFiles}, which opens any of them; {@link
 * org.dyr.formats.checkpoint.MindSporeCheckpoint} and {@link org.dyr.formats.checkpoint.MindSporeCheckpointWriter} are
 * MindSpore's {@code .ckpt}, {@link org.dyr.formats.checkpoint.BertNames} is what the tensors of a BERT are called
 * where. A file is taken for hostile: no length in it is believed before it is compared with what is left of the file.
 *
 * <p>Imports: {@code org.dyr.formats}, {@code org.dyr.io} and the JDK.
 */
package org.dyr.formats.checkpoint;
