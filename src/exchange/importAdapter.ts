/**
 * An adapter from files that were dropped: a Loratory bundle, any zip with a PEFT folder in it, or the two PEFT files
 * themselves. Only the last part of a name is looked at.
 */
import { FormatError } from '../checkpoint/safetensors';
import type { ModelConfig } from '../model/config';
import type { NamedFile } from '../protocol/adapters';
import { PEFT_CONFIG, PEFT_WEIGHTS, readPeft, type PeftAdapter, type PeftFiles } from './peft';
import { readRunRecord, type RunRecord } from './runRecord';
import { unzip, type ZipEntry } from './unzip';

const ZIP_LIMITS = { maxEntries: 200, maxBytes: 2 ** 31 };
const RUN_RECORD = 'run.json';

export interface ImportedAdapter {
  /** The bundle's folder or the zip's name; null for loose files. */
  name: string | null;
  adapter: PeftAdapter;
  peft: PeftFiles;
  runRecord: RunRecord | null;
  warnings: string[];
}

/** The files of a bundle, checked and unpacked. */
export function readBundle(bytes: Uint8Array): Promise<ZipEntry[]> {
  return unzip(bytes, ZIP_LIMITS);
}

/** Throws FormatError for files that cannot be read, AdapterError for an adapter of another base. */
export async function importAdapter(files: NamedFile[], model: ModelConfig): Promise<ImportedAdapter> {
  const entries: ZipEntry[] = [];
  for (const { name, bytes } of files) {
    const content = new Uint8Array(bytes);
    if (isZip(content)) entries.push(...(await readBundle(content)));
    else entries.push({ name, bytes: content });
  }
  const config = one(entries, PEFT_CONFIG);
  const weights = one(entries, PEFT_WEIGHTS);
  const peft: PeftFiles = { config: decode(config), weights: weights.bytes };
  const adapter = readPeft(peft.config, peft.weights, model);
  const warnings = [...adapter.warnings];
  return { name: nameOf(files, weights), adapter, peft, runRecord: readRecord(entries, warnings), warnings };
}

/** A record that cannot be read costs the history, not the adapter. */
function readRecord(entries: ZipEntry[], warnings: string[]): RunRecord | null {
  const entry = entries.find(({ name }) => baseName(name) === RUN_RECORD);
  if (!entry) return null;
  try {
    return readRunRecord(decode(entry));
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    warnings.push(`The adapter was read, its history was not. ${cause.message}`);
    return null;
  }
}

/** In a bundle the MLX folder has an adapter_config.json too: the one beside the PEFT weights counts. */
function one(entries: ZipEntry[], name: string): ZipEntry {
  const weights = entries.filter((entry) => baseName(entry.name) === PEFT_WEIGHTS);
  const folder = folderOf(weights[0]?.name ?? '');
  const found = entries.filter((entry) => baseName(entry.name) === name);
  const fitting = found.length > 1 ? found.filter((entry) => folderOf(entry.name) === folder) : found;
  const [entry, another] = fitting;
  if (!entry || another || weights.length > 1) {
    const listed = entries.map((each) => each.name).slice(0, 20);
    throw new FormatError(
      `An adapter is one ${PEFT_CONFIG} and one ${PEFT_WEIGHTS}, or a zip with both. ` +
        `Found ${found.length} of ${name} among: ${listed.join(', ') || 'nothing'}.`,
    );
  }
  return entry;
}

function nameOf(files: NamedFile[], weights: ZipEntry): string | null {
  const folder = folderOf(weights.name).split('/')[0];
  if (folder && folder !== 'peft') return folder;
  const zip = files.find(({ name }) => /\.zip$/i.test(name));
  return zip ? baseName(zip.name).replace(/\.zip$/i, '') : null;
}

/** "PK" alone could begin a safetensors file, whose first bytes are a length; all four cannot within our header limit. */
const isZip = ([p, k, three, four]: Uint8Array) => p === 0x50 && k === 0x4b && three === 3 && four === 4;
const baseName = (name: string) => name.split('/').at(-1) ?? name;
const folderOf = (name: string) => name.split('/').slice(0, -1).join('/');

function decode({ name, bytes }: ZipEntry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${name} is not valid UTF-8.`, { cause });
  }
}
