/**
 * `npm run oracle -- [--cpu] [--format f16] [--default-limits] [--without FEATURE] DIR…`: one JSON line per check with the largest error;
 * exit 1 if one is out of tolerance. Without DIR it takes the families in tests/fixtures/models.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startEngine } from '../../src/gpu/backend';
import { checkOracle, ORACLE_TOLERANCES, type Check } from '../../src/selftest/check';
import { filesIn } from './folder';

const args = process.argv.slice(2);
const has = (flag: string) => args.includes(flag);
const without = args.flatMap((arg, index) => (arg === '--without' ? [args[index + 1] ?? ''] : []));

const engine = await startEngine({
  backend: has('--cpu') ? 'cpu' : 'webgpu',
  defaultLimits: has('--default-limits'),
  without: without.map((name) => name as GPUFeatureName),
});
console.error(`${engine.backend}: ${engine.gpu?.name ?? 'reference twins on the processor'}`);
const named = has('--format') ? args[args.indexOf('--format') + 1] : 'f32';
// 8- and 4-bit weights are another model than the reference's: tests/model/formats.gpu.test.ts holds those to f32
if (named !== 'f32' && named !== 'f16') throw new Error(`--format is f32 or f16, not ${named}.`);
const format: 'f32' | 'f16' = named;
const given = args.filter((arg) => !arg.startsWith('--') && !without.includes(arg) && arg !== format);
const fixtures = 'tests/fixtures/models';
const folders = given.length > 0 ? given : readdirSync(fixtures).map((name) => join(fixtures, name));
let passed = 0;
let failed = 0;
const report = (check: Check) => {
  console.log(JSON.stringify(check));
  if (check.ok) passed++;
  else failed++;
};
for (const folder of folders) {
  await checkOracle(folder, filesIn(folder), format, ORACLE_TOLERANCES[format], report);
  engine.check();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
