/**
 * Registers an operation with TensorFlow.js: our WGSL kernel on WebGPU, the reference twin on the processor, and on a device that
 * computes the kernel wrongly. The twin is the definition; a test judges both.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import { wholeTensor } from '../gpu/tensors';
import type { OperationName } from '../protocol/detours';
import { wayOf } from './ways';

/** Inputs by name; an optional input is undefined. */
export type Inputs = Record<string, tf.Tensor>;

export interface Operation<Attrs extends object> {
  name: string;
  /** What the self-test judges it as, and ways.ts replaces it by. */
  operation: OperationName | ((attrs: Attrs) => OperationName);
  /** Stock TensorFlow.js operations only. Nothing is taped inside. */
  reference(inputs: Inputs, attrs: Attrs): tf.Tensor | tf.Tensor[];
  /** Dispatches WGSL; returns the outputs. */
  kernel(inputs: NamedTensorInfoMap, attrs: Attrs): TensorInfo | TensorInfo[];
}

export function defineOperation<Attrs extends object>(operation: Operation<Attrs>) {
  const { name, operation: part } = operation;
  const twin = (inputs: Inputs, attrs: Attrs) =>
    tf.tidy<tf.Tensor | tf.Tensor[]>(() => operation.reference(inputs, attrs));
  tf.registerKernel({
    kernelName: name,
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs }) => {
      const own = readAttrs<Attrs>(attrs);
      const way = wayOf(typeof part === 'function' ? part(own) : part);
      if (way !== 'stock') return operation.kernel(inputs, own);
      return tf.tidy(() => twin(tensorsOf(inputs, wholeTensor), own));
    },
  });
  tf.registerKernel({
    kernelName: name,
    backendName: 'cpu',
    kernelFunc: ({ inputs, attrs }) => twin(tensorsOf(inputs), readAttrs<Attrs>(attrs)),
  });
  return runner<Attrs>(name);
}

/** Several operations as one for the tape, each by its own way; of what runs inside, nothing is taped. */
export function defineComposite<Attrs extends object>(
  name: string,
  run: (inputs: Inputs, attrs: Attrs) => tf.Tensor[],
) {
  for (const backendName of ['webgpu', 'cpu'])
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: ({ inputs, attrs }) => tf.tidy(() => run(tensorsOf(inputs), readAttrs<Attrs>(attrs))),
    });
  return runner<Attrs>(name);
}

/** Runs what is registered under a name, with the inputs that there are. */
const runner =
  <Attrs extends object>(name: string) =>
  (inputs: Record<string, tf.Tensor | undefined>, attrs: Attrs): tf.Tensor[] => {
    const given = Object.entries(inputs).filter(
      (entry): entry is [string, tf.Tensor] => entry[1] !== undefined,
    );
    const result = tf
      .engine()
      .runKernel(name, Object.fromEntries(given), { ...attrs } as NamedAttrMap) as unknown;
    return Array.isArray(result) ? (result as tf.Tensor[]) : [result as tf.Tensor];
  };

/** The attributes of a kernel as the type they were given with. */
export function readAttrs<Attrs extends object>(attrs: NamedAttrMap | undefined): Attrs {
  return { ...attrs } as Attrs;
}

function tensorsOf(inputs: NamedTensorInfoMap, as = (tensor: tf.Tensor) => tensor): Inputs {
  return Object.fromEntries(Object.entries(inputs).map(([key, info]) => [key, as(asTensor(info))]));
}

/** A kernel's inputs are the caller's tensors themselves. */
function asTensor(info: TensorInfo | undefined): tf.Tensor {
  if (info instanceof tf.Tensor) return info as tf.Tensor;
  throw new Error('A reference twin was given something that is not a tensor.');
}

/** The one output of an operation that has one. */
export function only(outputs: tf.Tensor[]): tf.Tensor {
  const [first] = outputs;
  if (!first || outputs.length !== 1) throw new Error(`Expected one output, got ${outputs.length}.`);
  return first;
}
