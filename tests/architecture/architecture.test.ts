/** The house keeps its own rules: arrows point one way, files hold one idea. Each rule is shown to bite first. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as rules from './rules';

const root = resolve(import.meta.dirname, '../..');

function read(folder: string, kind: RegExp): Map<string, string> {
  return new Map(
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && kind.test(entry.name))
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8')];
      }),
  );
}

const sources = new Map([...read('src', /\.(ts|svelte)$/), ...read('workers', /\.ts$/)]);
const shaders = [...read('shaders', /\.wgsl$/).keys()];
const tree = (files: Record<string, string>) => new Map(Object.entries(files));

describe('each rule bites', () => {
  it('an arrow that points the wrong way, written as import, type, dynamic import, re-export, component or worker', () => {
    const wrong = {
      'src/gpu/a.ts': "import { step } from '../training/step';",
      'src/ops/b.ts': "import type { Run } from '../storage/runs';",
      'src/model/c.ts': "const x = await import('../adapter/lora');",
      'src/chat/d.ts': "export { y } from '../ops/rope';",
      'src/ui/E.svelte': '<script lang="ts">\n  import { z } from "../training/run";\n</script>',
      'src/state/f.ts':
        "new Worker(new URL('../../workers/trainer.ts', import.meta.url), { type: 'module' });",
      'src/protocol/g.ts': "import { readConfig } from '../model/config';",
      'workers/h.ts': "import { RunState } from '../src/state/run.svelte';",
      'workers/models/i.ts': "import { Runs } from '../runs/running';",
    };
    expect(rules.wrongArrows(tree(wrong)).map((line) => line.split(' ')[0])).toEqual(Object.keys(wrong));
  });

  it('an arrow that points the right way is let through', () => {
    const right = {
      'src/training/a.ts': "import { linear } from '../ops/linear';\nimport type { Steps } from '../units';",
      'src/ops/b.ts':
        "import text from '../../shaders/rope.wgsl?raw';\nimport * as tf from '@tensorflow/tfjs-core';",
      'src/main.ts': "import { connect } from '../workers/connect';\nimport App from './ui/App.svelte';",
      'workers/c.ts': "import { train } from '../src/training/run';",
      'workers/runs/d.ts':
        "import { Library } from '../models/library';\nimport { failureOf } from '../failures';",
    };
    expect(rules.wrongArrows(tree(right))).toEqual([]);
  });

  it('the other rules', () => {
    expect(rules.unknownRooms(tree({ 'src/extras/a.ts': '', 'workers/extras/a.ts': '' }))).toEqual([
      'extras',
      'workers/extras/a.ts',
    ]);
    expect(
      rules.barrels(tree({ 'src/gpu/all.ts': "export * from './a';\nexport { b } from './b';" })),
    ).toHaveLength(1);
    expect(
      rules.drawers(tree({ 'src/gpu/utils.ts': '', 'src/helpers/a.ts': '', 'src/gpu/limits.ts': '' })),
    ).toHaveLength(2);
    expect(rules.tooLong(tree({ 'src/gpu/a.ts': 'x\n'.repeat(401) }))).toHaveLength(1);
    expect(
      rules.backendLeaks(tree({ 'src/ops/a.ts': "import '@tensorflow/tfjs-backend-webgpu';" })),
    ).toHaveLength(1);
    expect(
      rules.silentOpenings(tree({ 'src/gpu/a.ts': 'const a = 1;', 'src/ui/A.svelte': '<p>' })),
    ).toHaveLength(2);
    expect(rules.unusedShaders(tree({}), ['shaders/rope.wgsl'])).toEqual(['shaders/rope.wgsl']);
    const screen = {
      'src/main.ts': "import App from './ui/App.svelte';\nimport type { Step } from './training/step';",
      'src/ui/App.svelte': '<script>\n// x\nimport { fitOf } from "../guide/fit";</script>',
      'src/guide/fit.ts': "import { weights } from '../model/weights';",
      'src/model/weights.ts': "import * as tf from '@tensorflow/tfjs-core';",
      'src/training/step.ts': "import * as tf from '@tensorflow/tfjs-core';",
    };
    expect(rules.tensorsOnScreen(tree(screen))).toEqual([
      'src/model/weights.ts imports @tensorflow/tfjs-core',
    ]);
  });
});

describe('the house', () => {
  it('has sources to judge', () => expect(sources.size).toBeGreaterThan(5));
  it('imports only towards the left', () => expect(rules.wrongArrows(sources)).toEqual([]));
  it('has no folder without a place in the order', () => expect(rules.unknownRooms(sources)).toEqual([]));
  it('has no barrels', () => expect(rules.barrels(sources)).toEqual([]));
  it('has no drawers', () => expect(rules.drawers(sources)).toEqual([]));
  it('keeps files short', () => expect(rules.tooLong(sources)).toEqual([]));
  it('keeps tfjs’ WebGPU backend inside src/gpu', () => expect(rules.backendLeaks(sources)).toEqual([]));
  it('keeps tfjs out of what the page itself loads', () =>
    expect(rules.tensorsOnScreen(sources)).toEqual([]));
  it('opens every file by saying what it is', () => expect(rules.silentOpenings(sources)).toEqual([]));
  it('loads every shader', () => expect(rules.unusedShaders(sources, shaders)).toEqual([]));
});
