/** Runs a chat template as the foreign program it is: own globals, a capped `range`, a fixed date, bounded source and output. */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { DataProblem } from '../dataset/problem';
import { rewriteStripCalls, stripGlobals } from './stripCalls';

export type Program = ReturnType<typeof parse>;

const MAX_SOURCE = 64 * 1024;
const MAX_OUTPUT = 1024 * 1024;
const MAX_RANGE = 10_000;

/** Templates that print today's date print this one, in training and in use, so that both see the same text. */
export const FIXED_DATE = '26 Jul 2024';

/** The template's own `raise_exception`: it does not accept these messages. */
export class TemplateRefusal extends Error {
  override name = 'TemplateRefusal';
}

export function parseTemplate(source: string): Program {
  if (source.length > MAX_SOURCE) {
    throw new DataProblem(
      `The chat template has ${source.length} characters; at most ${MAX_SOURCE} are run.`,
    );
  }
  try {
    const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    rewriteStripCalls(program);
    return program;
  } catch (error) {
    throw new DataProblem(`The chat template cannot be read: ${reasonOf(error)}.`);
  }
}

export function runTemplate(program: Program, variables: Record<string, unknown>): string {
  const environment = new Environment();
  const refusals: TemplateRefusal[] = [];
  const globals: Record<string, unknown> = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    ...stripGlobals,
    range: cappedRange,
    strftime_now: () => FIXED_DATE,
    raise_exception: (message: unknown) => {
      const refusal = new TemplateRefusal(typeof message === 'string' ? message : 'no reason given');
      refusals.push(refusal);
      throw refusal;
    },
  };
  for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
  let output: unknown;
  try {
    output = new Interpreter(environment).run(program).value;
  } catch (error) {
    // The interpreter may wrap what a global throws.
    const [refusal] = refusals;
    if (refusal !== undefined) throw refusal;
    if (error instanceof DataProblem) throw error;
    throw new DataProblem(`The chat template failed: ${reasonOf(error)}.`);
  }
  if (typeof output !== 'string') throw new DataProblem('The chat template printed no text.');
  if (output.length > MAX_OUTPUT)
    throw new DataProblem(
      `The chat template printed ${output.length} characters; at most ${MAX_OUTPUT} are used.`,
    );
  return output;
}

function cappedRange(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.ceil((to - from) / step);
  if (!(count <= MAX_RANGE))
    throw new DataProblem(`The chat template asks for a range of ${count}; at most ${MAX_RANGE} is run.`);
  return Array.from({ length: Math.max(0, count) }, (_, i) => from + i * step);
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deeply';
  return error instanceof Error ? error.message : String(error);
}
