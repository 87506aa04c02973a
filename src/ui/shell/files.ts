/** Files as they come in, by drop, paste or choice: reads folders, and says what a bunch of files is. */
import type { NamedFile } from '../../protocol/adapters';
import type { PickedFile } from '../../protocol/models';

export type Kind = 'data' | 'model' | 'adapter';

/** Path inside the chosen folder, or the plain name. */
export function pathOf(file: File): string {
  return file.webkitRelativePath === '' ? file.name : file.webkitRelativePath;
}

export function kindOf(names: readonly string[]): Kind {
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  if (has(/\.zip$/i) || has(/adapter_config\.json$|adapter_model\.safetensors$/)) return 'adapter';
  if (has(/\.(safetensors|gguf)$/i) || (has(/(^|\/)config\.json$/) && has(/tokenizer\.json$/)))
    return 'model';
  return 'data';
}

/** The files of a model, unread, and a name for it: the folder's, else the one weight file's. */
export function picked(files: readonly File[]): { name: string; files: PickedFile[] } {
  const all = files.map((file) => ({ path: pathOf(file), file }));
  const paths = all.map(({ path }) => path);
  const folder = paths
    .find((path) => path.endsWith('/config.json'))
    ?.split('/')
    .at(-2);
  const weights = paths
    .find((path) => /\.(gguf|safetensors)$/i.test(path))
    ?.split('/')
    .at(-1);
  return { name: folder ?? weights ?? 'Model', files: all };
}

export async function readAll(files: readonly File[]): Promise<NamedFile[]> {
  return Promise.all(files.map(async (file) => ({ name: pathOf(file), bytes: await file.arrayBuffer() })));
}

/** Everything in a drop, folders walked. */
export async function dropped(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files];
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) return [await new Promise<File>((resolve, reject) => entry.file(resolve, reject))];
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const found: FileSystemEntry[] = [];
  // A reader gives at most a hundred entries a time, and none when it is done.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(walk))).flat();
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}
function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

/** Pasted text as a file whose name says what it looks like. */
export function pasted(text: string): File {
  const start = text.trimStart();
  const firstLine = start.split('\n', 1)[0] ?? '';
  const ending = start.startsWith('[')
    ? 'json'
    : start.startsWith('{')
      ? 'jsonl'
      : firstLine.includes('\t')
        ? 'tsv'
        : /^[\w"' -]+,[\w"' -]+/.test(firstLine) && firstLine.length < 200
          ? 'csv'
          : 'txt';
  return new File([text], `pasted.${ending}`);
}
