/** Opens the GPU: asks for every feature and the highest limits that help, and says what was found. */
import { GpuFaults } from './faults';

export interface Gpu {
  device: GPUDevice;
  info: GPUAdapterInfo;
  faults: GpuFaults;
  /** True for a driver that runs on the processor. */
  software: boolean;
  /** Subgroup size when it is the same for every kernel, else 0. */
  fixedSubgroup: number;
  name: string;
  /** Whether the GPU uses the machine's memory; null where vendor and architecture do not tell. */
  sharedMemory: boolean | null;
}

export interface GpuWish {
  /** Features left out on purpose, to test the paths of weaker machines. */
  without?: GPUFeatureName[];
  /** Keep the default limits of the specification. */
  defaultLimits?: boolean;
}

const USEFUL: GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query'];
const RAISED = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
] as const;

/** Null where there is no WebGPU or no adapter. */
export async function openGpu(wish: GpuWish = {}): Promise<Gpu | null> {
  const adapter = await globalThis.navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return null;
  const requiredFeatures = USEFUL.filter((f) => adapter.features.has(f) && !wish.without?.includes(f));
  const requiredLimits: Record<string, number> = {};
  if (!wish.defaultLimits) for (const limit of RAISED) requiredLimits[limit] = adapter.limits[limit];
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  const info = adapter.info;
  const described = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  const software = info.isFallbackAdapter || /swiftshader|llvmpipe|software|microsoft basic/i.test(described);
  const { subgroupMinSize: least, subgroupMaxSize: most } = info;
  return {
    device,
    info,
    faults: new GpuFaults(device),
    software,
    fixedSubgroup: device.features.has('subgroups') && least > 1 && least === most ? least : 0,
    name: deviceName(info, software),
    sharedMemory: sharesMemory(info, software),
  };
}

/** By vendor and architecture, as Dawn names them. AMD makes both kinds under the same names. */
export function sharesMemory(
  { vendor, architecture }: Pick<GPUAdapterInfo, 'vendor' | 'architecture'>,
  software: boolean,
): boolean | null {
  if (software) return true;
  if (['apple', 'arm', 'qualcomm', 'img-tec', 'samsung'].includes(vendor)) return true;
  // Arc cards have memory of their own
  if (vendor === 'intel') return !/hpg/.test(architecture);
  return vendor === 'nvidia' ? false : null;
}

/** Some drivers describe themselves only and give the card's name as the device; others a number, which nobody would know it by. */
export function deviceName(
  {
    vendor,
    architecture,
    device,
    description,
  }: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'>,
  software: boolean,
): string {
  const own = description || [vendor, architecture, device].filter(Boolean).join(' ');
  if (software) return `${own || 'unnamed'} (software driver)`;
  const model = description && !/^(0x)?[0-9a-f]*$/i.test(device) ? `${device}, ` : '';
  return `${model}${own}` || 'unnamed graphics card';
}
