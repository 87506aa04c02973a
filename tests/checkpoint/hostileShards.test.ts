/** Broken MLX matrices, and shards that do not fit their index: each is refused with its reason. */
import { describe, expect, it } from 'vitest';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { FormatError, writeSafetensors } from '../../src/checkpoint/safetensors';

/** An MLX matrix [4, 64] of 4 bits in groups of 32, as bytes of a safetensors file. */
function mlxFile(changes: Record<string, object> = {}): Uint8Array<ArrayBuffer> {
  const header: Record<string, object> = {
    'a.weight': { dtype: 'U32', shape: [4, 8], data_offsets: [0, 128] },
    'a.scales': { dtype: 'F16', shape: [4, 2], data_offsets: [128, 144] },
    'a.biases': { dtype: 'F16', shape: [4, 2], data_offsets: [144, 160] },
    ...changes,
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + 160);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

describe('MLX', () => {
  const openMlx = (quantization: unknown, bytes = mlxFile()) =>
    openCheckpoint(
      [fileInMemory('model.safetensors', bytes)],
      new Map([['config.json', JSON.stringify({ quantization })]]),
    );
  it('becomes one tensor of its true width', async () => {
    const { tensors } = await openMlx({ bits: 4, group_size: 32 });
    expect([...tensors.keys()]).toEqual(['a.weight']);
    expect(tensors.get('a.weight')).toMatchObject({
      shape: [4, 64],
      encoding: 'MLX4',
      affine: { group: 32 },
    });
  });
  it.each<[string, unknown, Uint8Array<ArrayBuffer> | undefined, RegExp]>([
    ['no quantization', undefined, undefined, /config.json has no "quantization"/],
    ['3 bits', { bits: 3, group_size: 32 }, undefined, /4 or 8 bits/],
    ['groups of 48', { bits: 4, group_size: 48 }, undefined, /groups of 32, 64, 128/],
    ['another mode', { bits: 4, group_size: 32, mode: 'mxfp4' }, undefined, /mode affine/],
    [
      'other groups than it was packed with',
      { bits: 4, group_size: 64 },
      undefined,
      /a.scales is \[4, 2\]; \[4, 1\]/,
    ],
    [
      'other bits than it was packed with',
      { bits: 8, group_size: 32 },
      undefined,
      /a.scales is \[4, 2\]; \[4, 1\]/,
    ],
    ['a false for the layer', { bits: 4, group_size: 32, a: false }, undefined, /quantised as false/],
    [
      'whole numbers as scales',
      { bits: 4, group_size: 32 },
      mlxFile({ 'a.scales': { dtype: 'U8', shape: [4, 4], data_offsets: [128, 144] } }),
      /one kind of float/,
    ],
  ])('%s is refused', async (_, quantization, bytes, reason) => {
    await expect(openMlx(quantization, bytes)).rejects.toThrow(FormatError);
    await expect(openMlx(quantization, bytes)).rejects.toThrow(reason);
  });
});

describe('shards and their index', () => {
  const shard = (...names: string[]) =>
    writeSafetensors(names.map((name) => ({ name, dtype: 'F16', shape: [1], values: Float32Array.of(1) })));
  const openIndexed = (map: unknown, files: Record<string, Uint8Array<ArrayBuffer>>) =>
    openCheckpoint(
      Object.entries(files).map(([name, bytes]) => fileInMemory(name, bytes)),
      new Map([
        ['config.json', '{}'],
        ['model.safetensors.index.json', typeof map === 'string' ? map : JSON.stringify({ weight_map: map })],
      ]),
    );
  const files = {
    'a.safetensors': shard('x', 'y'),
    'b.safetensors': shard('z'),
    'other.safetensors': shard('o'),
  };
  const map = { x: 'a.safetensors', y: 'a.safetensors', z: 'b.safetensors' };
  it('are read as the index says; files it does not name are left alone', async () => {
    const { tensors } = await openIndexed(map, files);
    expect([...tensors].map(([name, { at }]) => [name, at.file.name])).toEqual(Object.entries(map));
  });
  it.each<[string, unknown, RegExp]>([
    ['a missing shard', { ...map, w: 'c.safetensors' }, /names c.safetensors, which is not among the 3/],
    [
      'a tensor that is not there',
      { ...map, w: 'a.safetensors' },
      /says that a.safetensors holds w; it does not/,
    ],
    ['a tensor in another shard', { ...map, y: 'b.safetensors' }, /a.safetensors holds y; the index says b/],
    ['a tensor it does not list', { x: 'a.safetensors' }, /holds y; the index does not list it/],
    ['a path', { x: '../../etc/passwd' }, /a file name is needed/],
    ['no map', 'null', /has no "weight_map"/],
    ['a name twice', '{"weight_map":{"x":"a.safetensors","x":"b.safetensors"}}', /"x" occurs twice/],
  ])('%s is refused', async (_, wrong, reason) => {
    await expect(openIndexed(wrong, files)).rejects.toThrow(reason);
  });
});
