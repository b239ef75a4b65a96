/**
 * bf16 and fp16 by fp32 kernels: a kernel set that stands below the fast ones and above the plain loops. Imports
 * tensor, op and device. Start with {@link org.dyr.cpu.widening.WideningKernels}.
 */
package org.dyr.cpu.widening;
