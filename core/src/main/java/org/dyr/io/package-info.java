/**
 * Files of tensors. The safetensors format is 8 bytes of header length (little-endian), a JSON header that names
 * type, shape and byte range of each tensor, and the data; see <a
 * href="https://github.com/huggingface/safetensors#format">its definition</a>.
 *
 * <p>Start with {@link org.dyr.io.ModelTensors}, which opens a model directory, whole or in shards; {@link
 * org.dyr.io.SafeTensorsFile} is one mapped file, {@link org.dyr.io.SafeTensorsWriter} writes one, and {@link
 * org.dyr.io.AtomicFiles} publishes files and directories all or nothing. A file is taken for hostile until every
 * rule of the format has been checked: {@code Header} holds those rules, {@code Json} the strict parser under it,
 * {@code StoredType} the format's element types, {@code Conversion} the way from those to ours.
 *
 * <p>Imports: {@code org.dyr.tensor} and the JDK.
 */
package org.dyr.io;
