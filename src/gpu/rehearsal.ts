/**
 * Makes the pipelines of some work before there is anything to run it on: all are asked for at once and made beside whatever else goes
 * on. Knows neither models nor runs.
 */
import { onlyPipelines, type AskedPipeline } from './dispatch';
import { gpu } from './inside';
import { GpuError } from './faults';

export interface Rehearsal {
  /** Pipelines that were not there, and how many of them are now. */
  readonly total: number;
  readonly made: number;
  /**
   * Resolves when all are there; `progress` hears of each until then. Throws what the device reported, as a run's own check does:
   * a GpuError for a pipeline that cannot be made, DeviceLost for a lost device.
   */
  ready(progress: (made: number, total: number) => void): Promise<void>;
}

/** `work` waits for nothing, reads nothing, and keeps no tensor. */
export function rehearse(work: () => void): Rehearsal {
  const { device, faults, software } = gpu();
  const asked = onlyPipelines(work);
  const touch = software && asked.length > 0 ? new Touch(device) : null;
  let made = 0;
  let heard: () => void = () => undefined;
  const each = asked.map(async ({ pipeline, buffers }) => {
    const one = await pipeline;
    touch?.run(one, buffers);
    made++;
    heard();
  });
  const settled = Promise.allSettled(each).then((results) => {
    touch?.end();
    return results;
  });
  return {
    total: asked.length,
    get made() {
      return made;
    },
    async ready(progress) {
      heard = () => progress(made, asked.length);
      if (made < asked.length) heard();
      await Promise.race([settled, faults.lost]);
      faults.check();
      const failed = (await settled).find((result) => result.status === 'rejected');
      if (failed) throw new GpuError(messageOf(failed.reason));
    },
  };
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

const SCRATCH = 4096;

/**
 * Runs pipelines on no workgroup at all. lavapipe compiles a kernel only when it is first run, so that without this its first step
 * would still wait for all of them.
 */
class Touch {
  #storage: GPUBuffer[] = [];
  #uniform: GPUBuffer;
  /** Three zeros: Dawn takes a count of 0 that is given directly for a mistake, and says so. */
  #none: GPUBuffer;

  constructor(private readonly device: GPUDevice) {
    this.#uniform = device.createBuffer({ size: SCRATCH, usage: GPUBufferUsage.UNIFORM });
    this.#none = device.createBuffer({ size: 12, usage: GPUBufferUsage.INDIRECT });
  }

  run(pipeline: GPUComputePipeline, buffers: AskedPipeline['buffers']): void {
    if (buffers === 0) return;
    const { device } = this;
    while (this.#storage.length < buffers)
      this.#storage.push(device.createBuffer({ size: SCRATCH, usage: GPUBufferUsage.STORAGE }));
    const bound = [...this.#storage.slice(0, buffers), this.#uniform];
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: bound.map((buffer, binding) => ({ binding, resource: { buffer } })),
      }),
    );
    pass.dispatchWorkgroupsIndirect(this.#none, 0);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  end(): void {
    for (const buffer of [...this.#storage, this.#uniform, this.#none]) buffer.destroy();
  }
}
