/**
 * Collects what WebGPU reports late: uncaptured errors and a lost device. tfjs listens to neither, and a broken kernel
 * returns wrong numbers without a word, so every run and every test asks here. Knows nothing of runs or screens.
 */
export class GpuFaults {
  #errors: GPUError[] = [];
  #lost: GPUDeviceLostInfo | null = null;
  /** Resolves when the device is lost. */
  readonly lost: Promise<GPUDeviceLostInfo>;

  constructor(device: GPUDevice) {
    device.addEventListener('uncapturederror', (event) => this.#errors.push(event.error));
    this.lost = device.lost.then((info) => (this.#lost = info));
  }

  get lostInfo(): GPUDeviceLostInfo | null {
    return this.#lost;
  }

  /** Throws the first error seen since the last call, or says that the device is lost. */
  check(): void {
    if (this.#lost) throw new DeviceLost(this.#lost.reason, this.#lost.message);
    const [first] = this.#errors.splice(0);
    if (!first) return;
    if (first instanceof GPUOutOfMemoryError) throw new GpuOutOfMemory(first.message);
    throw new GpuError(first.message);
  }
}

export class GpuError extends Error {}

export class GpuOutOfMemory extends Error {
  constructor(detail: string) {
    super(
      `The graphics card has no memory left. ${detail} Try a shorter sequence length, a lower rank or a smaller model.`,
    );
  }
}

export class DeviceLost extends Error {
  constructor(
    readonly reason: string,
    detail: string,
  ) {
    super(`The graphics device was lost (${reason}). ${detail}`.trim());
  }
}
