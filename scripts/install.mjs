/**
 * Makes sure the machine has what the tests and the demo need: a Chromium and, on Linux, a Vulkan driver that works
 * without a graphics card. Debian as root: installs it with apt. Elsewhere: says what to install.
 * As a command: `node scripts/install.mjs`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { findChromium, findCommand, findLavapipe, mesaVersion } from './system.mjs';

// Older lavapipe lacks features that Dawn requires.
const OLDEST_MESA = 24;

function driverFound() {
  if (process.platform !== 'linux') return true; // Dawn uses Metal or Direct3D there
  if (process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES) return true;
  const mesa = mesaVersion();
  return findLavapipe() !== null && (mesa === null || mesa[0] >= OLDEST_MESA);
}

/** @returns {Record<string, string>} */
function release() {
  if (!existsSync('/etc/os-release')) return {};
  const lines = readFileSync('/etc/os-release', 'utf8').split('\n');
  return Object.fromEntries(
    lines.flatMap((line) => {
      const at = line.indexOf('=');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1).replaceAll('"', '')]] : [];
    }),
  );
}

/** @param {string[]} args */
function apt(args) {
  console.log(`apt-get ${args.join(' ')}`);
  execFileSync('apt-get', ['-o', 'Acquire::Retries=3', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 8 * 60_000,
  });
}

/** Bookworm's own Mesa is too old: its backports lie on the mirror that is already configured. */
function addBackports() {
  const format = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const uri = execFileSync('apt-get', [...format, 'Release: bookworm', 'Component: main'], {
    encoding: 'utf8',
  });
  const first = uri.split('\n')[0]?.trim();
  if (!first) throw new Error('apt knows no mirror of bookworm, so its backports cannot be added.');
  writeFileSync('/etc/apt/sources.list.d/backports.list', `deb ${first} bookworm-backports main\n`);
  apt(['update']);
}

function mayInstall() {
  return release().ID === 'debian' && process.getuid?.() === 0 && findCommand('apt-get') !== null;
}

const VULKAN_HEADER = '/usr/include/vulkan/vulkan_core.h';

/** What a small C library against Vulkan needs; installed where that is possible. Says whether it is there. */
export function ensureVulkanHeaders() {
  if (!existsSync(VULKAN_HEADER) && mayInstall())
    apt(['install', '-y', '--no-install-recommends', 'libvulkan-dev']);
  return existsSync(VULKAN_HEADER);
}

/** @param {boolean} browser @param {boolean} driver */
function installOnDebian(browser, driver) {
  apt(['update']);
  if (browser) apt(['install', '-y', '--no-install-recommends', 'chromium', 'fonts-liberation']);
  if (!driver) return;
  const bookworm = release().VERSION_CODENAME === 'bookworm';
  if (bookworm) addBackports();
  apt([
    'install',
    '-y',
    ...(bookworm ? ['-t', 'bookworm-backports'] : []),
    'mesa-vulkan-drivers',
    'libvulkan1',
  ]);
}

/**
 * Finds what is needed and installs what is missing where that is possible. Throws with instructions where it is not.
 * @param {{ driver: boolean }} needs whether Node needs a Vulkan driver too
 * @returns {{ chromium: string }}
 */
export function ensureSystem({ driver }) {
  const browserMissing = findChromium() === null;
  const driverMissing = driver && !driverFound();
  if (browserMissing || driverMissing) {
    if (mayInstall()) installOnDebian(browserMissing, driverMissing);
  }
  const chromium = findChromium();
  const missing = [];
  if (!chromium)
    missing.push(
      'Chromium is missing. Install it with your package manager, or run: npx playwright install --with-deps chromium\n' +
        '  A browser elsewhere: set CHROMIUM to its path.',
    );
  if (driver && !driverFound())
    missing.push(
      `A Vulkan driver is missing. Install Mesa ${OLDEST_MESA} or newer (Debian and Ubuntu: mesa-vulkan-drivers libvulkan1;\n` +
        '  Fedora: mesa-vulkan-drivers vulkan-loader), or set VK_ICD_FILENAMES to the description of your own driver.',
    );
  if (!chromium || missing.length > 0) throw new Error(missing.join('\n'));
  return { chromium };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const { chromium } = ensureSystem({ driver: true });
    console.log(`Chromium: ${chromium}`);
    console.log(`Vulkan driver: ${process.env.VK_ICD_FILENAMES ?? findLavapipe() ?? 'the system’s own'}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
