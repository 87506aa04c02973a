/**
 * What kernels for processors do otherwise for the lanes that a driver puts side by side in a subgroup: SwiftShader has four, Mesa's
 * llvmpipe eight on most processors.
 */

/** Lanes from which on kernels are written for llvmpipe. */
export const MANY_LANES = 8;

/**
 * Takes values of one lane, `subgroupBroadcast(value, LITERAL)` in `code`, the way that is quicker. llvmpipe works out for every broadcast
 * which lane is the first that takes part (gallivm, emit_read_invocation), while its shuffle is one instruction: products and attention
 * take up to a tenth less time. SwiftShader is about a twentieth slower with shuffles.
 */
export const handRound = (code: string, lanes: number): string =>
  lanes >= MANY_LANES ? code.replaceAll('subgroupBroadcast(', 'subgroupShuffle(') : code;
