/**
 * Gives the memory of large arrays back at once. The collector sees the small objects that own them and comes late: left to it,
 * dozens of megabytes that nobody needs lie about in every thread. Where the platform cannot do it, it comes late as before.
 */
export function release(...arrays: { readonly buffer: ArrayBuffer }[]): void {
  for (const { buffer } of arrays) if ('transfer' in buffer && !buffer.detached) buffer.transfer(0);
}
