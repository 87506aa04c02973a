/**
 * `npm run metrics -- FILE`: scores a file of pairs (see score.ts) and prints one JSON line for each metric, with the largest error
 * where the file holds reference values; exit 1 if one is out of tolerance.
 */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { scoreFile } from './score';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('npm run metrics -- FILE, a JSON file { "pairs": [{ "hypothesis": …, "references": […] }] }');
  process.exit(2);
}
try {
  const lines = scoreFile(readFileSync(file, 'utf8'));
  for (const line of lines) console.log(JSON.stringify(line));
  const failed = lines.filter(({ ok }) => !ok).length;
  console.log(`${lines.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
} catch (error) {
  const where = v.isValiError(error) ? ` at ${v.getDotPath(error.issues[0]) ?? 'the top'}` : '';
  const message = error instanceof Error ? error.message : String(error);
  console.error(`${file} cannot be scored${where}: ${message}`);
  process.exitCode = 2;
}
