import { describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import {
  FormatError,
  readSafetensors,
  tensorBytes,
  toFloat32,
  writeSafetensors,
} from '../../src/checkpoint/safetensors';
import { AdapterError } from '../../src/exchange/adapterError';
import { peftKey, readPeft, writePeft } from '../../src/exchange/peft';
import { adapters, FAMILIES, fixture, readBytes } from './fixtures';

const llama = fixture('llama');
const base = { name: 'tiny/llama', revision: null };

/** The oracle's config with some keys changed; undefined removes one. */
function configWith(changes: Record<string, unknown>): string {
  return JSON.stringify({ ...(JSON.parse(llama.peft('lora').config) as object), ...changes });
}

/** The oracle's tensors, changed by `edit`. */
function weightsWith(
  edit: (name: string, shape: number[], values: Float32Array) => [string, number[], Float32Array] | null,
) {
  const bytes = llama.peft('lora').weights;
  const tensors = [...readSafetensors(bytes).entries.values()].flatMap((entry) => {
    const edited = edit(entry.name, entry.shape, toFloat32(tensorBytes(bytes, entry), entry.dtype));
    return edited ? [{ name: edited[0], dtype: 'F32' as const, shape: edited[1], values: edited[2] }] : [];
  });
  return writeSafetensors(tensors, { format: 'pt' });
}
const same = weightsWith((...tensor) => tensor);

describe('what is written is what PEFT writes', () => {
  it.each(FAMILIES)('%s: every key, shape and bit of the oracle’s adapter', (family) => {
    const { peft, config } = fixture(family);
    for (const variant of ['lora', 'rslora'] as const) {
      const theirs = peft(variant);
      const ours = writePeft(readPeft(theirs.config, theirs.weights, config), base);
      const expected = readSafetensors(theirs.weights);
      const found = readSafetensors(ours.weights);
      expect([...found.entries.keys()].sort()).toEqual([...expected.entries.keys()].sort());
      for (const [name, entry] of expected.entries) {
        const written = found.entries.get(name);
        expect([written?.shape, written?.dtype]).toEqual([entry.shape, 'F32']);
        expect(written && tensorBytes(ours.weights, written)).toEqual(tensorBytes(theirs.weights, entry));
      }
      expect(found.metadata).toEqual({ format: 'pt' });
    }
  });

  it('the names are those of the specification', () => {
    expect(peftKey('model.layers.0.self_attn.q_proj', 'lora_A')).toBe(
      'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight',
    );
    const found = [...readSafetensors(writePeft(llama.adapter('lora'), base).weights).entries.keys()];
    const pattern =
      /^base_model\.model\.model\.layers\.[01]\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.lora_[AB]\.weight$/;
    expect(found.filter((name) => !pattern.test(name))).toEqual([]);
    expect(found.length).toBe(2 * 7 * 2);
  });

  it('the config says all that PEFT needs, and alpha is a whole number', () => {
    const written: unknown = JSON.parse(
      writePeft(llama.adapter('rslora'), { name: 'org/model', revision: 'abc' }).config,
    );
    expect(written).toEqual({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      auto_mapping: null,
      base_model_name_or_path: 'org/model',
      revision: 'abc',
      inference_mode: true,
      r: 4,
      lora_alpha: 8,
      lora_dropout: 0,
      bias: 'none',
      fan_in_fan_out: false,
      target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
      modules_to_save: null,
      init_lora_weights: true,
      use_rslora: true,
      use_dora: false,
      layers_to_transform: null,
      layers_pattern: null,
      rank_pattern: {},
      alpha_pattern: {},
    });
    const odd = llama.adapter('lora');
    expect(() => writePeft({ ...odd, spec: { ...odd.spec, alpha: 8.5 } }, base)).toThrow(/alpha of 8.5/);
  });

  it('patterns of PEFT come and go unchanged', () => {
    const config = readFileSync(join(adapters, 'llama_patterns/adapter_config.json'), 'utf8');
    const read = readPeft(
      config,
      readBytes(join(adapters, 'llama_patterns/adapter_model.safetensors')),
      llama.config,
    );
    expect(read.spec).toMatchObject({
      targets: ['q_proj', 'v_proj', 'down_proj'],
      rankPattern: { q_proj: 8, 'layers.1.mlp.down_proj': 2 },
      alphaPattern: { v_proj: 32 },
    });
    const written = writePeft(read, base);
    const again = readPeft(written.config, written.weights, llama.config);
    expect([again.spec, again.tensors]).toEqual([read.spec, read.tensors]);
  });
});

describe('a config that cannot be used is refused', () => {
  const cases: [string, string, RegExp][] = [
    ['not JSON', '{', /not readable JSON/],
    ['10 MB', `{"a":"${'x'.repeat(10_000_000)}"}`, /at most 1000000 are read/],
    ['__proto__', '{"__proto__":{"r":1}}', /"__proto__"/],
    ['another method', configWith({ peft_type: 'IA3' }), /peft_type/],
    ['r = 1e9', configWith({ r: 1e9 }), /r: /],
    ['r = 0', configWith({ r: 0 }), /r: /],
    ['alpha as text', configWith({ lora_alpha: '8' }), /lora_alpha: /],
    ['no targets', configWith({ target_modules: undefined }), /target_modules: /],
    ['a pattern as targets', configWith({ target_modules: 'all-linear' }), /target_modules: /],
    [
      'the head as target',
      configWith({ target_modules: ['q_proj', 'lm_head'] }),
      /adapts lm_head; Loratory adapts/,
    ],
    ['DoRA', configWith({ use_dora: true }), /DoRA is not supported/],
    ['trained layers', configWith({ modules_to_save: ['lm_head'] }), /modules_to_save\) is not supported/],
    ['biases', configWith({ bias: 'all' }), /bias: /],
    ['PiSSA', configWith({ init_lora_weights: 'pissa' }), /init_lora_weights: /],
    ['some layers', configWith({ layers_to_transform: [0] }), /layers_to_transform\) is not supported/],
    ['a feature of tomorrow', configWith({ use_flora: true }), /turns on use_flora/],
    ['a regular expression', configWith({ rank_pattern: { '^q.*': 8 } }), /pattern "\^q\.\*"/],
  ];
  it.each(cases)('%s', (_, config, reason) => {
    const read = () => readPeft(config, same, llama.config);
    expect(read).toThrow(FormatError);
    expect(read).toThrow(reason);
  });

  it('but an unknown harmless key is a warning', () => {
    expect(readPeft(configWith({ note: 'from a friend', off: null }), same, llama.config).warnings).toEqual([
      'adapter_config.json has the unknown key "note"; it was ignored.',
    ]);
    expect(readPeft(configWith({}), same, llama.config).warnings).toEqual([]);
  });
});

describe('weights that do not belong are refused', () => {
  const config = llama.peft('lora').config;
  const read = (weights: Uint8Array) => () => readPeft(config, weights, llama.config);

  it('a wrong prefix, which PEFT would pass over in silence', () => {
    const renamed = weightsWith((name, shape, values) => [
      name.replace('base_model.model.', ''),
      shape,
      values,
    ]);
    expect(read(renamed)).toThrow(
      /Missing: base_model\.model\.model\.layers\.0.*Not expected: model\.layers\.0/,
    );
  });

  it('PEFT’s in-memory names', () => {
    const renamed = weightsWith((name, shape, values) => [
      name.replace('.weight', '.default.weight'),
      shape,
      values,
    ]);
    expect(read(renamed)).toThrow(/Not expected: .*lora_A\.default\.weight/);
  });

  it('half a pair', () => {
    const halved = weightsWith((...tensor) => (tensor[0].includes('1.mlp.up_proj.lora_B') ? null : tensor));
    expect(read(halved)).toThrow(/Missing: .*layers\.1\.mlp\.up_proj\.lora_B.*holds 27 tensors; 28/);
  });

  it('an adapter of a deeper model, expected and found side by side', () => {
    const deeper = weightsWith((name, shape, values) => [
      name.replace('layers.1.', 'layers.7.'),
      shape,
      values,
    ]);
    expect(read(deeper)).toThrow(AdapterError);
    expect(read(deeper)).toThrow(/Expected 2 layers \(the chosen model\); found 8 layers \(the adapter\)/);
  });

  it('an adapter of a wider model', () => {
    const qwen3 = fixture('qwen3').peft('lora');
    expect(() => readPeft(qwen3.config, qwen3.weights, llama.config)).toThrow(AdapterError);
    expect(() => readPeft(qwen3.config, qwen3.weights, llama.config)).toThrow(
      /Expected \[64, 4\]; found \[128, 4\]/,
    );
  });

  it('a transposed tensor and another rank', () => {
    const turned = weightsWith((name, shape, values) => [name, [...shape].reverse(), values]);
    expect(read(turned)).toThrow(/28 tensors have another shape.*Expected \[4, 64\]; found \[64, 4\]/);
    expect(() => readPeft(configWith({ r: 8 }), same, llama.config)).toThrow(
      /Expected \[8, 64\]; found \[4, 64\]/,
    );
  });

  it.each([NaN, Infinity])('a value of %s', (value) => {
    const spoiled = weightsWith((name, shape, values) => {
      if (name.endsWith('0.self_attn.v_proj.lora_B.weight')) values[3] = value;
      return [name, shape, values];
    });
    expect(read(spoiled)).toThrow(`v_proj.lora_B.weight holds ${value} at place 3 of 128`);
  });

  it('but a huge value is a warning', () => {
    const loud = weightsWith((name, shape, values) => {
      if (name.endsWith('0.self_attn.v_proj.lora_B.weight')) values[3] = 1e6;
      return [name, shape, values];
    });
    expect(readPeft(config, loud, llama.config).warnings).toEqual([
      expect.stringMatching(/v_proj\.lora_B\.weight holds values up to 1\.00e\+6/),
    ]);
  });

  it('a larger header than any adapter needs', () => {
    const bytes = new Uint8Array(4_000_100);
    new DataView(bytes.buffer).setBigUint64(0, 4_000_001n, true);
    expect(read(bytes)).toThrow(/claims 4000001 bytes; at most 4000000/);
  });
});
