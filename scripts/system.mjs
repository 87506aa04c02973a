/**
 * What the rig needs from the machine: a Chromium and, for Node, a Vulkan driver. Finds both.
 * Installing what is missing is scripts/install.mjs.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright';

/** Browser switches that give a page WebGPU without a graphics card. */
export const SWIFTSHADER_ARGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** @param {string} name @returns {string | null} */
export function findCommand(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder && existsSync(path)) return path;
  }
  return null;
}

/** The browser to drive: the one named by CHROMIUM, the system's, or the one Playwright installed. @returns {string | null} */
export function findChromium() {
  const named = process.env.CHROMIUM;
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`CHROMIUM names ${named}, and there is no such file. Unset it or point it at a browser.`);
  }
  for (const name of BROWSERS) {
    const path = findCommand(name);
    if (path) return path;
  }
  const own = chromium.executablePath();
  return own && existsSync(own) ? own : null;
}

/** Mesa's software driver description, e.g. lvp_icd.json. @returns {string | null} */
export function findLavapipe() {
  for (const folder of ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d']) {
    const file = existsSync(folder)
      ? readdirSync(folder).find((name) => /^lvp_icd.*\.json$/.test(name))
      : undefined;
    if (file) return join(folder, file);
  }
  return null;
}

/**
 * SwiftShader's driver description beside Debian's Chromium. It compiles a new kernel several times faster than lavapipe, and has
 * other features: subgroups of 4, no half floats. @returns {string | null}
 */
export function findSwiftShader() {
  const file = '/usr/lib/chromium/vk_swiftshader_icd.json';
  return existsSync(file) ? file : null;
}

/** Mesa's version as [major, minor], or null where dpkg does not know it. @returns {[number, number] | null} */
export function mesaVersion() {
  try {
    const text = execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'mesa-vulkan-drivers'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const match = /^(?:\d+:)?(\d+)\.(\d+)/.exec(text);
    return match ? [Number(match[1]), Number(match[2])] : null;
  } catch {
    return null;
  }
}

/**
 * Sets what Dawn reads from the environment. Must run before the `webgpu` package is loaded. A driver already named by
 * VK_ICD_FILENAMES or VK_DRIVER_FILES is kept.
 */
export function prepareVulkan() {
  const lavapipe = findLavapipe();
  if (!process.env.VK_ICD_FILENAMES && !process.env.VK_DRIVER_FILES && lavapipe)
    process.env.VK_ICD_FILENAMES = lavapipe;
  if (process.env.XDG_RUNTIME_DIR) return;
  process.env.XDG_RUNTIME_DIR = join(tmpdir(), 'loratory-runtime');
  mkdirSync(process.env.XDG_RUNTIME_DIR, { recursive: true, mode: 0o700 });
}
