import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adapterModules } from '../../src/adapter/spec';
import { FormatError } from '../../src/checkpoint/safetensors';
import { readGgufAdapter, writeGgufAdapter } from '../../src/exchange/gguf';
import { readGguf } from '../../src/exchange/ggufFloats';
import { writeGguf } from '../../src/checkpoint/gguf/writer';
import { readPeft } from '../../src/exchange/peft';
import { joinPairs, separatePairs } from '../../src/checkpoint/gguf/ropeRows';
import { adapters, FAMILIES, fixture, readBytes } from './fixtures';

const llama = fixture('llama');

describe('the container', () => {
  const bytes = writeGgufAdapter(llama.adapter('lora'), llama.config, 'a name');
  const view = new DataView(bytes.buffer);

  it('begins as the format says: magic, version 3, counts', () => {
    expect(new TextDecoder().decode(bytes.subarray(0, 4))).toBe('GGUF');
    expect(view.getUint32(4, true)).toBe(3);
    expect([view.getBigUint64(8, true), view.getBigUint64(16, true)]).toEqual([28n, 6n]);
    expect(bytes.length % 32).toBe(0);
  });

  it('carries the keys llama.cpp asks for', () => {
    expect(Object.fromEntries(readGguf(bytes).pairs)).toEqual({
      'general.architecture': 'llama',
      'general.type': 'adapter',
      'general.name': 'a name',
      'general.file_type': 0,
      'adapter.type': 'lora',
      'adapter.lora.alpha': 8,
    });
  });

  it('refuses a tensor name of 64 bytes', () => {
    const tensor = { name: 'x'.repeat(64), shape: [1], values: Float32Array.of(1) };
    expect(() => writeGguf(new Map(), [tensor])).toThrow(/longer than the 63 bytes/);
  });

  it('refuses every mutant with a FormatError or reads inside the file', () => {
    const small = writeGguf(new Map([['general.type', { type: 'string', value: 'adapter' }]]), [
      { name: 'a', shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) },
    ]);
    const change = fc.record({ at: fc.nat(small.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(small.length), (changes, cut) => {
        const mutant = small.slice(0, cut % 4 === 0 ? cut : small.length);
        for (const { at, byte } of changes) if (at < mutant.length) mutant[at] = byte;
        try {
          readGguf(mutant);
        } catch (cause) {
          expect(cause).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the order of rows', () => {
  it('puts the two halves of each rotary pair side by side, head by head', () => {
    // 2 heads of 4 rows, one column: within a head 0 1 | 2 3 becomes 0 2 1 3.
    const rows = Float32Array.of(0, 1, 2, 3, 10, 11, 12, 13);
    expect(joinPairs(rows, 8, 2)).toEqual(Float32Array.of(0, 2, 1, 3, 10, 12, 11, 13));
  });

  it('comes back', () => {
    const values = Float32Array.from({ length: 24 * 3 }, (_, i) => i);
    expect(separatePairs(joinPairs(values, 24, 3), 24, 3)).toEqual(values);
  });

  it.each([
    ['llama', true],
    ['mistral', true],
    ['qwen2', false],
    ['qwen3', false],
  ] as const)('%s: rows of B move for q and k only: %s', (family, moves) => {
    const { adapter, config } = fixture(family);
    const { tensors } = readGguf(writeGgufAdapter(adapter('lora'), config, 'x'));
    const moved = adapterModules(adapter('lora').spec, config).filter(({ layer, name }) => {
      const short = {
        q: 'attn_q',
        k: 'attn_k',
        v: 'attn_v',
        o: 'attn_output',
        gate: 'ffn_gate',
        up: 'ffn_up',
        down: 'ffn_down',
      };
      const kind = /\.(\w+)_proj$/.exec(name)?.[1] as keyof typeof short;
      const found = tensors.get(`blk.${layer}.${short[kind]}.weight.lora_b`)?.values;
      const source = adapter('lora').tensors.get(`${name}.lora_B`)?.values;
      if (!found || !source) throw new Error(`${name} was not written`);
      return found.some((value, i) => value !== source[i]);
    });
    expect(moved.map(({ target }) => target)).toEqual(moves ? ['q_proj', 'k_proj', 'q_proj', 'k_proj'] : []);
  });
});

describe('reading back', () => {
  it.each(FAMILIES)('%s gives the adapter that was written, bit by bit', (family) => {
    const { adapter, config } = fixture(family);
    const read = readGgufAdapter(writeGgufAdapter(adapter('lora'), config, 'x'), config);
    expect(read.tensors).toEqual(adapter('lora').tensors);
    expect(read.spec).toMatchObject({ rank: 4, alpha: 8, rslora: false });
  });

  it('rsLoRA’s scale is in alpha: 8 · √4 / 4 = 8 / √4', () => {
    const read = readGgufAdapter(writeGgufAdapter(llama.adapter('rslora'), llama.config, 'x'), llama.config);
    expect(read.spec).toMatchObject({ rank: 4, alpha: 16, rslora: false });
  });

  it('ranks and alphas by pattern give the same product', () => {
    const config = readFileSync(join(adapters, 'llama_patterns/adapter_config.json'), 'utf8');
    const peft = readPeft(
      config,
      readBytes(join(adapters, 'llama_patterns/adapter_model.safetensors')),
      llama.config,
    );
    const read = readGgufAdapter(writeGgufAdapter(peft, llama.config, 'x'), llama.config);
    const scaled = (adapter: typeof peft | typeof read) =>
      adapterModules(adapter.spec, llama.config).map(({ name, scale, rank }) => {
        const values = adapter.tensors.get(`${name}.lora_B`)?.values ?? new Float32Array();
        return { name, rank, values: [...values].map((value) => Math.fround(value * scale)) };
      });
    const expected = scaled(peft);
    expect(expected.map(({ rank }) => rank)).toEqual([8, 4, 4, 8, 4, 2]);
    expect(scaled(read)).toEqual(expected);
  });

  it('an adapter of another architecture or kind is refused', () => {
    const bytes = writeGgufAdapter(llama.adapter('lora'), llama.config, 'x');
    expect(() => readGgufAdapter(bytes, fixture('qwen2').config)).toThrow(/Expected qwen2; found llama/);
    const model = writeGguf(new Map([['general.type', { type: 'string', value: 'model' }]]), []);
    expect(() => readGgufAdapter(model, llama.config)).toThrow(/is a model of type undefined/);
  });
});
