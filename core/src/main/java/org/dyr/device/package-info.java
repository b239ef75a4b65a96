/**
 * What a device is: memory ({@link org.dyr.device.Slab} owns bytes, {@link org.dyr.device.Span} borrows them) and
 * kernels ({@link org.dyr.device.KernelSet#prepare} once, {@link org.dyr.device.Kernel#launch} often). Imports tensor
 * and op. Imported by graph, cpu and every kernel module. Start with {@link org.dyr.device.Backend}.
 */
package org.dyr.device;
