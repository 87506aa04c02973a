/** What the machine at hand can do. */
import type { Bytes } from '../units';

export interface Capabilities {
  backend: 'webgpu' | 'wasm' | 'cpu';
  /** The adapter's name, e.g. "Apple M2" or "SwiftShader (software)". */
  device: string;
  software: boolean;
  /** Whether the GPU uses the machine's memory instead of its own; null where that cannot be told. */
  sharedMemory: boolean | null;
  features: string[];
  maxBindingBytes: Bytes;
  maxBufferBytes: Bytes;
  /** One sentence when training will be slow or is limited, else null. */
  note: string | null;
}
