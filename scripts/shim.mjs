/**
 * Lets headless Chromium use Mesa's lavapipe, which is quicker than SwiftShader on large products and has shader-f16.
 * Needs ../shared/rig/lvp_chrome.c, gcc and the Vulkan headers. For the rig only; the product and its tests do without.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureVulkanHeaders } from './install.mjs';
import { findLavapipe } from './system.mjs';

const root = resolve(import.meta.dirname, '..');

/**
 * The environment for the browser, or the reason why there is none.
 * @returns {{ env: Record<string, string> } | { reason: string }}
 */
export function lavapipeInChromium() {
  const source = resolve(root, '../shared/rig/lvp_chrome.c');
  if (!existsSync(source)) return { reason: 'lvp_chrome.c is not beside this project' };
  if (!findLavapipe()) return { reason: 'Mesa’s lavapipe is not installed' };
  if (!ensureVulkanHeaders())
    return { reason: 'Vulkan’s headers are missing (Debian and Ubuntu: libvulkan-dev)' };
  const folder = join(root, 'node_modules/.cache/loratory');
  mkdirSync(folder, { recursive: true });
  const library = join(folder, 'lvp_chrome.so');
  const built = spawnSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], {
    encoding: 'utf8',
  });
  if (built.status !== 0)
    return { reason: `gcc could not build it: ${built.stderr ?? built.error?.message ?? 'no gcc'}` };
  return { env: { LD_PRELOAD: library, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir() } };
}
