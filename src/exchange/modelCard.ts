/** README.md of the PEFT folder: what the adapter is, what it was measured at, and how to load it. Only figures of the run. */
import type { AdapterWeights } from '../adapter/spec';
import type { RunRecord } from './runRecord';

export function writeModelCard(
  name: string,
  adapter: AdapterWeights,
  baseName: string,
  run: RunRecord | null,
): string {
  const { rank, alpha, rslora, dropout, targets } = adapter.spec;
  const lines = [
    '---',
    `base_model: ${JSON.stringify(baseName)}`,
    'library_name: peft',
    'pipeline_tag: text-generation',
    'tags: [lora, loratory]',
    '---',
    '',
    `# ${name}`,
    '',
    `A LoRA adapter for ${baseName}, trained in a browser tab with Loratory.`,
    '',
    `- Rank ${rank}, alpha ${alpha}${rslora ? ', rank-stabilised scale' : ''}, dropout ${dropout}`,
    `- Adapted layers: ${targets.join(', ')}`,
    ...(run ? runLines(run) : []),
    '',
    '```python',
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM',
    '',
    `base = AutoModelForCausalLM.from_pretrained(${JSON.stringify(baseName)})`,
    'model = PeftModel.from_pretrained(base, "path/of/this/folder")',
    '```',
    '',
  ];
  return lines.join('\n');
}

function runLines(run: RunRecord): string[] {
  const { train, validation, test } = run.dataset.split;
  const best = run.best
    ? [`- Best held-out loss: ${run.best.loss.toFixed(4)} nats a token, at step ${run.best.step}`]
    : [];
  const scores = run.evaluation.map(
    ({ metric, split, base, tuned }) =>
      `- ${metric} on the ${split} rows: base ${base.right} of ${base.of}, tuned ${tuned.right} of ${tuned.of}`,
  );
  return [
    `- Data: ${run.dataset.name} (${train} training, ${validation} validation, ${test} test rows)`,
    `- Learning rate ${run.settings.learningRate}, ${run.curves.steps.length} steps, seed ${run.settings.seed}`,
    ...best,
    ...scores,
  ];
}
