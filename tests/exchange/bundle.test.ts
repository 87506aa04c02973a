import { describe, expect, it } from 'vitest';
import { adapterModules, type AdapterWeights } from '../../src/adapter/spec';
import { readSafetensors, tensorBytes, toFloat32 } from '../../src/checkpoint/safetensors';
import { fileName, writeBundle, type BundleRequest } from '../../src/exchange/bundle';
import { buildRunRecord } from '../../src/exchange/buildRunRecord';
import { writeGgufAdapter } from '../../src/exchange/gguf';
import { importAdapter, readBundle } from '../../src/exchange/importAdapter';
import { readRunRecord, writeRunRecord, type RunRecord } from '../../src/exchange/runRecord';
import { readMlx, writeMlx } from '../../src/exchange/mlx';
import { writePeft } from '../../src/exchange/peft';
import { testExport } from '../../src/exchange/selfTest';
import { writeModelfile } from '../../src/exchange/ollama';
import type { ReceiptLine } from '../../src/protocol/adapters';
import type { Scores } from '../../src/protocol/scores';
import { defaultSettings } from '../../src/protocol/settings';
import { fixture } from './fixtures';

const llama = fixture('llama');

/** Stands for the model: one number per layer that depends on every value and the scale, as logits do. */
async function answer({ spec, tensors }: AdapterWeights): Promise<Float32Array> {
  return Float32Array.from(adapterModules(spec, llama.config), ({ name, scale, rank, in: cols, out }) => {
    const a = tensors.get(`${name}.lora_A`)?.values ?? new Float32Array();
    const b = tensors.get(`${name}.lora_B`)?.values ?? new Float32Array();
    let sum = 0;
    for (let o = 0; o < out; o++)
      for (let r = 0; r < rank; r++)
        for (let c = 0; c < cols; c++) {
          sum += ((o % 7) - 3) * (b[o * rank + r] ?? NaN) * (a[r * cols + c] ?? NaN) * ((c % 5) - 2);
        }
    return sum * scale;
  });
}

const rows = {
  length: 32,
  rows: 1,
  ids: new Int32Array(32),
  targets: new Int32Array(32),
  documentStart: new Int32Array(32),
  examples: 3,
  supervised: 20,
};
function recordOf(exports: ReceiptLine[], scores: Scores | null = null): RunRecord {
  return buildRunRecord({
    app: { version: '0.1.0', commit: null },
    created: Date.UTC(2030, 0, 1),
    finished: Date.UTC(2030, 0, 1, 0, 5),
    base: {
      repository: 'tiny/llama',
      revision: null,
      family: 'llama',
      files: [],
      tokenizerSha256: null,
      templateSha256: null,
    },
    data: {
      name: 'rows.jsonl',
      hash: 'ab',
      train: rows,
      validation: rows,
      test: [
        {
          promptIds: Int32Array.of(1),
          promptText: 'a secret question',
          question: 'a secret',
          reference: 'a secret answer',
        },
      ],
      testIsValidation: false,
      split: { rule: '80 / 20', seed: 42, train: 3, validation: 1, test: 1 },
    },
    history: {
      settings: defaultSettings,
      steps: [
        {
          step: 1,
          steps: 2,
          epoch: 0,
          loss: 3,
          learningRate: 1e-4,
          gradientNorm: 1,
          supervised: 20,
          tokens: 32,
          stepTime: 8,
        },
      ],
      evaluations: [
        { step: 1, loss: 2.5, best: true },
        { step: 2, loss: 2.75, best: false },
      ],
    },
    capabilities: {
      backend: 'webgpu',
      device: 'a GPU',
      software: false,
      sharedMemory: null,
      features: ['shader-f16'],
      maxBindingBytes: 2 ** 31,
      maxBufferBytes: 2 ** 31,
      note: null,
    },
    browser: null,
    adapterSha256: null,
    scores,
    exports,
    faults: [],
  });
}

const request = (changes: Partial<BundleRequest> = {}): BundleRequest => ({
  name: 'Poems, v2',
  adapter: llama.adapter('lora'),
  model: llama.config,
  base: { name: 'tiny/llama', revision: null },
  baseGguf: null,
  created: Date.UTC(2030, 0, 1),
  record: (receipt) => recordOf(receipt),
  logitsOf: answer,
  ...changes,
});
const bytesOf = async (zip: Blob) => new Uint8Array(await zip.arrayBuffer());
async function filesOf(changes: Partial<BundleRequest> = {}) {
  const { zip } = await writeBundle(request(changes));
  return new Map((await readBundle(await bytesOf(zip))).map(({ name, bytes }) => [name, bytes]));
}
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

describe('the bundle', () => {
  it('has a folder for each tool, and one safetensors file in each', async () => {
    expect([...(await filesOf()).keys()].sort()).toEqual([
      'Poems-v2/Modelfile',
      'Poems-v2/gguf/Poems-v2-lora-f32.gguf',
      'Poems-v2/mlx/adapter_config.json',
      'Poems-v2/mlx/adapters.safetensors',
      'Poems-v2/peft/README.md',
      'Poems-v2/peft/adapter_config.json',
      'Poems-v2/peft/adapter_model.safetensors',
      'Poems-v2/run.json',
    ]);
  });

  it('shows a receipt whose hashes and sizes are those of the files', async () => {
    const { zip, receipt, name } = await writeBundle(request());
    expect(name).toBe('Poems-v2.zip');
    const files = new Map((await readBundle(await bytesOf(zip))).map((entry) => [entry.name, entry.bytes]));
    for (const line of receipt) {
      const bytes = files.get(`Poems-v2/${line.file}`);
      if (!bytes) throw new Error(`${line.file} is not in the zip`);
      const digest = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex');
      expect([line.bytes, line.sha256]).toEqual([bytes.length, digest]);
    }
    expect(receipt.length).toBe(files.size);
    const tested = receipt.filter(({ difference }) => difference !== null);
    expect(tested.map(({ file, difference }) => [file, difference])).toEqual([
      ['peft/adapter_model.safetensors', 0],
      ['gguf/Poems-v2-lora-f32.gguf', 0],
      ['mlx/adapters.safetensors', 0],
    ]);
  });

  it('is refused when a re-read file does not answer like the live model', async () => {
    let asked = 0;
    const drifting = async (adapter: AdapterWeights) =>
      (await answer(adapter)).map((logit) => logit + asked++ * 0.01);
    await expect(writeBundle(request({ logitsOf: drifting }))).rejects.toThrow(
      /PEFT file just written does not answer like the live model.*at most 0.0001/,
    );
    const silent = () => Promise.resolve(Float32Array.of(NaN));
    await expect(writeBundle(request({ logitsOf: silent }))).rejects.toThrow(/differ by Infinity/);
  });

  it('passes its own test with rsLoRA, whose scale GGUF carries in alpha', async () => {
    const { receipt } = await writeBundle(request({ adapter: llama.adapter('rslora'), record: null }));
    for (const file of ['gguf/Poems-v2-lora-f32.gguf', 'mlx/adapters.safetensors'])
      expect(receipt.find((line) => line.file === file)?.difference).toBeLessThan(1e-5);
  });

  it('comes back as the same adapter, with its run', async () => {
    const { zip } = await writeBundle(request());
    const imported = await importAdapter([{ name: 'x.zip', bytes: await zip.arrayBuffer() }], llama.config);
    expect(imported.name).toBe('Poems-v2');
    expect(imported.adapter.tensors).toEqual(llama.adapter('lora').tensors);
    expect(imported.runRecord?.best).toEqual({ step: 1, loss: 2.5, adapterSha256: null });
    expect(imported.warnings).toEqual([]);
  });

  it('names its base file when the base comes along', async () => {
    const files = await filesOf({ baseGguf: Uint8Array.of(71, 71, 85, 70) });
    expect(files.get('Poems-v2/gguf/tiny-llama-base-f32.gguf')).toEqual(Uint8Array.of(71, 71, 85, 70));
    expect(textOf(files.get('Poems-v2/Modelfile'))).toContain(
      'FROM ./gguf/tiny-llama-base-f32.gguf\nADAPTER ./gguf/',
    );
  });
});

describe('the MLX files', () => {
  it('are transposed, with the scale itself', async () => {
    const files = await filesOf();
    const config: unknown = JSON.parse(textOf(files.get('Poems-v2/mlx/adapter_config.json')));
    expect(config).toMatchObject({
      fine_tune_type: 'lora',
      num_layers: 2,
      lora_parameters: { rank: 4, scale: 2, dropout: 0 }, // 8 / 4
    });
    const bytes = files.get('Poems-v2/mlx/adapters.safetensors') ?? new Uint8Array();
    const { entries } = readSafetensors(bytes);
    expect(entries.size).toBe(28);
    const source = llama.adapter('lora').tensors.get('model.layers.1.self_attn.q_proj.lora_A');
    const entry = entries.get('model.layers.1.self_attn.q_proj.lora_a');
    if (!source || !entry) throw new Error('q_proj is missing');
    expect(entry.shape).toEqual([64, 4]);
    const values = toFloat32(tensorBytes(bytes, entry), 'F32');
    // Row 5, column 2 of the transposed half is row 2, column 5 of PEFT's.
    expect(values[5 * 4 + 2]).toBe(source.values[2 * 64 + 5]);
  });

  it('are read back as MLX-LM runs them: the scale is the file’s own', () => {
    const mlx = writeMlx(llama.adapter('rslora'), llama.config, 'tiny/llama');
    if (mlx === null) throw new Error('no MLX form');
    const read = readMlx(mlx, llama.config);
    expect(read.tensors).toEqual(llama.adapter('rslora').tensors);
    const halved = { ...mlx, config: mlx.config.replace(/"scale": [\d.]+/, '"scale": 2') };
    expect(readMlx(halved, llama.config).spec.alpha).toBe(2 * read.spec.rank);
    const fewer = { ...mlx, config: mlx.config.replace('"self_attn.q_proj",', '') };
    expect(() => readMlx(fewer, llama.config)).toThrow('has 28 tensors; its config names 24');
  });

  it('are refused when their scale is not the adapter’s', async () => {
    const adapter = llama.adapter('lora');
    const peft = writePeft(adapter, { name: 'tiny/llama', revision: null });
    const gguf = writeGgufAdapter(adapter, llama.config, 'x');
    const mlx = writeMlx(adapter, llama.config, 'tiny/llama');
    if (mlx === null) throw new Error('no MLX form');
    const wrong = { ...mlx, config: mlx.config.replace('"scale": 2', '"scale": 2.5') };
    await expect(testExport(adapter, { peft, gguf, mlx: wrong }, llama.config, answer)).rejects.toThrow(
      /The MLX file just written does not answer like the live model/,
    );
  });
});

describe('run.json', () => {
  const record = recordOf([]);

  it('comes back as it was written and holds no text of a row', () => {
    const text = writeRunRecord(record);
    expect(readRunRecord(text)).toEqual(record);
    expect(text).not.toContain('secret');
  });

  it('holds the scores with their intervals, and a self-test only for files that had one', () => {
    const tuned = { right: 9, of: 10, share: 0.9, low: 0.6, high: 0.98 };
    const scores = {
      metric: 'exact match',
      base: { ...tuned, right: 1, share: 0.1 },
      tuned,
      fixed: 8,
      broken: 0,
      pValue: 0.008,
      verdict: 'better',
      others: [],
      rows: [
        {
          prompt: 'a secret',
          question: 'a secret',
          reference: '',
          base: '',
          tuned: '',
          baseRight: false,
          tunedRight: true,
        },
      ],
      seconds: 1,
      left: 0,
      limit: 20,
      cut: { base: 0, tuned: 0 },
    };
    const line = { file: 'a', bytes: 1, sha256: 'ab'.repeat(32), difference: null, tolerance: null };
    const tested = { ...line, file: 'b', difference: 0.5, tolerance: 0.1 };
    const scored = recordOf([line, tested], scores);
    expect(scored.evaluation).toMatchObject([
      { metric: 'exact match', split: 'test', tuned, fixed: 8, pValue: 0.008 },
    ]);
    expect(scored.exports.map(({ selfTest }) => selfTest)).toEqual([
      null,
      { difference: 0.5, tolerance: 0.1, passed: false },
    ]);
    expect(writeRunRecord(scored)).not.toContain('secret');
  });

  it('is read strictly', () => {
    const changed = (changes: object) => () => readRunRecord(JSON.stringify({ ...record, ...changes }));
    expect(changed({ extra: 1 })).toThrow(/extra/);
    expect(changed({ format: 'other' })).toThrow(/not the record of a Loratory run/);
    expect(changed({ settings: { ...defaultSettings, rank: 'x' } })).toThrow(/settings\.rank/);
    expect(() => readRunRecord('{')).toThrow(/not readable JSON/);
  });
});

it('a name becomes a file name that no system refuses', () => {
  expect([fileName('../../x'), fileName(' .. '), fileName('Übung 1/2'), fileName('a\nb')]).toEqual([
    'x',
    'adapter',
    'Übung-1-2',
    'a-b',
  ]);
});

it('a Modelfile cannot be given a second instruction through a name', () => {
  const text = writeModelfile({ basePath: null, baseName: 'x\nADAPTER evil', adapterPath: 'gguf/a.gguf' });
  expect(text.split('\n').filter((line) => line.startsWith('ADAPTER'))).toEqual(['ADAPTER ./gguf/a.gguf']);
});
