/**
 * The next token of every sequence, chosen where the logits are, so that only ids are read back. Greedy, or by temperature and
 * nucleus (Holtzman et al., arXiv 1904.09751): of w = exp((z − max) / temperature) the largest that together reach topP of their
 * sum are kept, equal ones at the edge all of them, and the id is the first, in the order of ids, whose running sum of kept w
 * passes draw · sum. Not taped.
 */
import * as tf from '@tensorflow/tfjs-core';
import code from '../../shaders/sampleToken.wgsl?raw';
import { dispatch, floatBits } from '../gpu/dispatch';
import { replace } from '../gpu/replace';
import { shaderText } from '../gpu/shaderText';
import { output, release } from '../gpu/tensors';
import { unroll } from '../gpu/unroll';
import { byRows } from './rows.kernel';
import { sampleTokenReference } from './sampleToken.reference';
import { byKernel } from './ways';

export interface Sampling {
  /** 0 is greedy. */
  temperature: number;
  /** Smallest set of tokens whose probability reaches this; 1 keeps all. */
  topP: number;
}

const text = () => shaderText(code, '', () => unroll(code, { PER_TURN: 4, EDGES: 7 }));

/** Rounds in which a search by eighths narrows this many places to one. */
const rounds = (places: number) => Math.ceil(Math.log2(places) / 3) + 1;
/** The bits of floats from 0 to 1. */
const BITS = 2 ** 30;
/** The largest float below 1: a draw is rounded to a float and must not become 1. */
const BELOW_ONE = 1 - 2 ** -24;

/** Numbers drawn in [0, 1) as `sampleToken` reads them. */
export const asChances = (draws: readonly number[]): Float32Array<ArrayBuffer> =>
  Float32Array.from(draws, (draw) => Math.min(draw, BELOW_ONE));

/**
 * logits [rows, vocab], chances [rows] → ids [rows] int32: those of `into`, overwritten on the GPU, consumed on the processor, where it
 * is given.
 */
export function sampleToken(
  logits: tf.Tensor,
  chances: tf.Tensor,
  sampling: Sampling,
  into?: tf.Tensor,
): tf.Tensor {
  const [rows = 0, vocab = 0] = logits.shape;
  if (chances.size !== rows)
    throw new Error(`${rows} rows of logits were given ${chances.size} random numbers.`);
  const { temperature, topP } = sampling;
  if (!byKernel('sampleToken')) {
    const chosen = sampleTokenReference(logits, chances, sampling);
    return into ? replace(into, chosen) : chosen;
  }
  const ids = into ?? output([rows], 'int32');
  const weights = output(temperature === 0 ? [1] : [rows, vocab]);
  const layout = byRows('sampleToken', text(), rows, vocab);
  dispatch({
    name: 'sampleToken',
    ...layout,
    constants: {
      ...layout.constants,
      GREEDY: temperature === 0,
      NUCLEUS: topP < 1,
      EDGE_ROUNDS: rounds(BITS),
      ID_ROUNDS: rounds(vocab),
    },
    bind: [logits, chances, weights, ids],
    uniforms: [rows, vocab, floatBits(temperature), floatBits(topP)],
    ...(into ? { inPlace: [into] } : {}),
  });
  release(weights);
  return into ?? tf.engine().makeTensorFromTensorInfo(ids);
}
