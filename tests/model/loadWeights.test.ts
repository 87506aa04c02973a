/** A checkpoint is held against its config.json before a byte goes to the device. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sourceOfValues } from '../../src/checkpoint/source';
import { readConfig } from '../../src/model/config';
import { checkShapes } from '../../src/model/loadWeights';
import { weightShapes } from '../../src/model/shapes';

const config = readConfig(JSON.parse(readFileSync('tests/fixtures/models/llama/config.json', 'utf8')));
const source = (change: (shapes: Map<string, number[]>) => void) => {
  const shapes = weightShapes(config);
  change(shapes);
  return sourceOfValues(shapes, () => Promise.reject(new Error('Nothing is to be read.')));
};
const check = (change: (shapes: Map<string, number[]>) => void) => () => checkShapes(config, source(change));

describe('checkShapes', () => {
  it('takes what config.json asks for, and frequencies that are computed anyway', () => {
    expect(check(() => undefined)).not.toThrow();
    expect(check((shapes) => shapes.set('model.layers.0.self_attn.rotary_emb.inv_freq', [8]))).not.toThrow();
  });

  it('names a tensor that is missing', () => {
    expect(check((shapes) => shapes.delete('model.layers.1.mlp.up_proj.weight'))).toThrow(
      'no tensor model.layers.1.mlp.up_proj.weight',
    );
  });

  it('says both shapes of one that is otherwise', () => {
    // hidden is 64 in this fixture
    expect(check((shapes) => shapes.set('model.norm.weight', [65]))).toThrow(
      'model.norm.weight is 65 in the checkpoint; config.json says 64',
    );
  });

  it.each(['model.layers.0.self_attn.q_proj.bias', 'model.layers.1.self_attn.q_norm.weight'])(
    'refuses %s, which a Llama would leave out without a word',
    (name) => {
      expect(check((shapes) => shapes.set(name, [64]))).toThrow(`holds ${name}`);
    },
  );

  it('refuses layers past those of config.json', () => {
    expect(check((shapes) => shapes.set('model.layers.2.input_layernorm.weight', [64]))).toThrow(
      'a llama model of 2 layers does not have',
    );
  });
});
