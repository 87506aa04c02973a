/** What a measurement belongs to: where any of it is another, what was measured says nothing. */
import type { Engine } from '../../src/gpu/backend';

/** `what` was measured, with its version: then the device, its features and the browser. */
export function deviceKey(what: string | number, { gpu }: Engine): string {
  const { vendor, architecture, device, description } = gpu?.info ?? {};
  const features = [...(gpu?.device.features ?? [])].sort();
  return JSON.stringify([what, vendor, architecture, device, description, features, navigator.userAgent]);
}
