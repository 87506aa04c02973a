/**
 * How much memory a run may take on this machine. A browser never tells how much memory a graphics card has, so the answer is what
 * the person has set, or a share of the machine's memory where the GPU has none of its own, or a modest assumption. It always says which.
 */
import type { Capabilities } from '../protocol/capabilities';
import type { Bytes } from '../units';

export interface Machine extends Pick<
  Capabilities,
  'backend' | 'device' | 'sharedMemory' | 'maxBindingBytes' | 'maxBufferBytes'
> {
  /** GiB, as navigator.deviceMemory: rounded down to a power of two and capped by the browser. Null where it is not told. */
  deviceMemory: number | null;
  /** What the person has set. */
  budget: Bytes | null;
}

export interface MemoryBudget {
  bytes: Bytes;
  source: 'set' | 'shared' | 'assumed';
  /** Where the number comes from, for people. */
  sentence: string;
}

const GIB: Bytes = 2 ** 30;
/** The rest is for the system, the browser and the screen: Apple's drivers give a GPU about two thirds. */
const SHARE_OF_MEMORY = 0.6;
/** Nearly every card made since 2016 has this much. */
const ASSUMED: Bytes = 4 * GIB;

export function memoryBudget({ budget, sharedMemory, deviceMemory, device }: Machine): MemoryBudget {
  if (budget !== null)
    return { bytes: budget, source: 'set', sentence: `You have set ${gib(budget)} for training.` };
  if (sharedMemory === true && deviceMemory !== null) {
    return {
      bytes: SHARE_OF_MEMORY * deviceMemory * GIB,
      source: 'shared',
      sentence: `${device} shares the machine’s memory. The browser speaks of at least ${deviceMemory} GiB; 60 % of that is counted on, the rest is for everything else.`,
    };
  }
  return {
    bytes: ASSUMED,
    source: 'assumed',
    sentence: `Browsers do not tell how much memory ${sharedMemory === true ? 'this machine' : 'a graphics card'} has. ${gib(ASSUMED)} is assumed; set it if you know better.`,
  };
}

function gib(bytes: Bytes): string {
  return `${Number((bytes / GIB).toFixed(1))} GiB`;
}
