/** Whether another engine can do a task on this adapter: those compared here bind every array whole. */
import { gpu } from '../gpu/inside';
import type { AdamwTask, AttentionTask, HeadTask, LayerTask, PieceTask, ProductTask } from './task';

/** Numbers of the largest array of a task, four bytes each, where whole score matrices are made. */
function largestOf(task: PieceTask): number {
  const largest = {
    product: (t: ProductTask) => Math.max(t.m * t.n, t.n * t.k),
    layer: (t: LayerTask) => t.config.ffn * t.config.hidden,
    attention: (t: AttentionTask) => t.heads * t.rows * t.rows,
    head: (t: HeadTask) => t.vocab * t.hidden,
    adamw: (t: AdamwTask) => t.count,
  };
  return largest[task.kind](task as never);
}

/** Why the task's largest array is not bound whole, null where it is. */
export function tooLargeToBind(task: PieceTask): string | null {
  const bytes = 4 * largestOf(task);
  const limit = gpu().device.limits.maxStorageBufferBindingSize;
  return bytes <= limit ? null : `needs ${bytes} bytes in one binding; this adapter allows ${limit}`;
}
