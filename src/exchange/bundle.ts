/**
 * An adapter as it is handed over: one .zip, stored and not packed, with a folder for each tool. The folders are kept apart
 * because Ollama reads every safetensors file it finds beside another. Each file is sealed by its hash in the receipt.
 */
import { downloadZip } from 'client-zip';
import type { AdapterWeights } from '../adapter/spec';
import type { ModelConfig } from '../model/config';
import type { AdapterExport, ReceiptLine } from '../protocol/adapters';
import { writeGgufAdapter } from './gguf';
import { writeMlx } from './mlx';
import { writeModelCard } from './modelCard';
import { writeModelfile } from './ollama';
import { PEFT_CONFIG, PEFT_WEIGHTS, writePeft, type BaseName } from './peft';
import { writeRunRecord, type RunRecord } from './runRecord';
import { testExport, TOLERANCE, type LogitsOf } from './selfTest';

export interface BundleRequest {
  /** What the person calls the adapter. */
  name: string;
  adapter: AdapterWeights;
  model: ModelConfig;
  base: BaseName;
  /** The base as GGUF, for models that come with the page; else null. */
  baseGguf: Uint8Array<ArrayBuffer> | null;
  /** Milliseconds since 1970: the date of the files. */
  created: number;
  /** Receives the receipt, so that the record can list the files. null for an adapter without a run. */
  record: ((receipt: ReceiptLine[]) => RunRecord) | null;
  logitsOf: LogitsOf;
}

interface BundleFile {
  file: string;
  bytes: Uint8Array<ArrayBuffer>;
  difference: number | null;
}

/** Writes the files, reads them again, compares with the live model, and only then packs. */
export async function writeBundle(request: BundleRequest): Promise<Omit<AdapterExport, 'note'>> {
  const { adapter, model, base, logitsOf } = request;
  const folder = fileName(request.name);
  const ggufPath = `gguf/${folder}-lora-f32.gguf`;
  const basePath = request.baseGguf === null ? null : `gguf/${fileName(base.name)}-base-f32.gguf`;

  const peft = writePeft(adapter, base);
  const gguf = writeGgufAdapter(adapter, model, request.name);
  const mlx = writeMlx(adapter, model, base.name);
  const tested = await testExport(adapter, { peft, gguf, mlx }, model, logitsOf);

  const files: BundleFile[] = [
    { file: `peft/${PEFT_CONFIG}`, bytes: utf8(peft.config), difference: null },
    { file: `peft/${PEFT_WEIGHTS}`, bytes: peft.weights, difference: tested.peft },
    { file: ggufPath, bytes: gguf, difference: tested.gguf },
  ];
  if (mlx) {
    files.push({ file: 'mlx/adapter_config.json', bytes: utf8(mlx.config), difference: null });
    files.push({ file: 'mlx/adapters.safetensors', bytes: mlx.weights, difference: tested.mlx });
  }
  if (request.baseGguf !== null && basePath !== null) {
    files.push({ file: basePath, bytes: request.baseGguf, difference: null });
  }
  const modelfile = writeModelfile({ basePath, baseName: base.name, adapterPath: ggufPath });
  files.push({ file: 'Modelfile', bytes: utf8(modelfile), difference: null });

  const record = request.record?.(await receiptOf(files)) ?? null;
  const card = writeModelCard(request.name, adapter, base.name, record);
  files.push({ file: 'peft/README.md', bytes: utf8(card), difference: null });
  if (record) files.push({ file: 'run.json', bytes: utf8(writeRunRecord(record)), difference: null });

  const receipt = await receiptOf(files);
  const zip = await pack(folder, files, new Date(request.created));
  return { name: `${folder}.zip`, zip, receipt };
}

/** A name that every file system takes; letters and digits of any script stay. */
export function fileName(name: string): string {
  const safe = name.normalize('NFC').replace(/[^\p{L}\p{N}._-]+/gu, '-');
  return safe.replace(/^[-.]+|[-.]+$/g, '').slice(0, 60) || 'adapter';
}

async function receiptOf(files: BundleFile[]): Promise<ReceiptLine[]> {
  return Promise.all(
    files.map(async ({ file, bytes, difference }) => {
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
      return {
        file,
        bytes: bytes.length,
        sha256,
        difference,
        tolerance: difference === null ? null : TOLERANCE,
      };
    }),
  );
}

async function pack(folder: string, files: BundleFile[], lastModified: Date): Promise<Blob> {
  const entries = files.map(({ file, bytes }) => ({ name: `${folder}/${file}`, input: bytes, lastModified }));
  const response = downloadZip(entries);
  return new Blob([await response.arrayBuffer()], { type: 'application/zip' });
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
