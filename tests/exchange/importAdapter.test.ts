import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { importAdapter } from '../../src/exchange/importAdapter';
import { fixture } from './fixtures';

const llama = fixture('llama');

describe('importing', () => {
  const { config, weights } = llama.peft('lora');
  const configFile = { name: 'adapter_config.json', bytes: new TextEncoder().encode(config).buffer };
  const weightsFile = { name: 'adapter_model.safetensors', bytes: weights.buffer };

  it('takes the two files of a PEFT folder', async () => {
    const { adapter, name, runRecord } = await importAdapter([configFile, weightsFile], llama.config);
    expect([adapter.tensors.size, name, runRecord]).toEqual([28, null, null]);
  });

  it('takes a PEFT folder zipped by another program', async () => {
    const zip = zipSync({
      'mine/adapter_config.json': new Uint8Array(configFile.bytes),
      'mine/adapter_model.safetensors': weights,
    });
    const imported = await importAdapter([{ name: 'download.zip', bytes: zip.slice().buffer }], llama.config);
    expect([imported.adapter.tensors.size, imported.name]).toEqual([28, 'mine']);
  });

  it('says what is missing', async () => {
    await expect(importAdapter([weightsFile], llama.config)).rejects.toThrow(
      /one adapter_config\.json and one adapter_model\.safetensors.*Found 0 of adapter_config\.json/,
    );
    await expect(importAdapter([], llama.config)).rejects.toThrow(/among: nothing/);
  });

  it('keeps an adapter whose history cannot be read, and says so', async () => {
    const record = {
      name: 'run.json',
      bytes: new TextEncoder().encode('{"format":"loratory-run","version":2}').buffer,
    };
    const { warnings, runRecord } = await importAdapter([configFile, weightsFile, record], llama.config);
    expect([runRecord, warnings]).toEqual([
      null,
      ['The adapter was read, its history was not. run.json has version 2; this Loratory reads version 1.'],
    ]);
  });
});
