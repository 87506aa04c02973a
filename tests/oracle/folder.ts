/** The files of an oracle folder on disk. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OracleFiles } from '../../src/selftest/check';

export function filesIn(folder: string): OracleFiles {
  return async (name) => {
    const path = join(folder, name);
    return existsSync(path) ? new Uint8Array(readFileSync(path)) : null;
  };
}
