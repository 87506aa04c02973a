/** A folder in Hugging Face layout as a checkpoint, read from disk. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint } from '../../src/checkpoint/checkpoint';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { sourceOf, type WeightSource } from '../../src/checkpoint/source';

export function openFolder(folder: string): Promise<Checkpoint> {
  const names = readdirSync(folder);
  const files = names
    .filter((name) => name === 'model.safetensors')
    .map((name) => fileInMemory(name, new Uint8Array(readFileSync(join(folder, name)))));
  const texts = names
    .filter((name) => /\.(json|jinja)$/.test(name))
    .map((name): [string, string] => [name, readFileSync(join(folder, name), 'utf8')]);
  return openCheckpoint(files, new Map(texts));
}

export async function sourceOfFolder(folder: string): Promise<WeightSource> {
  return sourceOf(await openFolder(folder));
}
