/** Answers of a model with or without an adapter: one for a person who tries it, many for held-out rows. */
import { randomFrom } from '../../src/random';
import { baseModel } from '../../src/adapter/baseModel';
import { loraTrainable } from '../../src/adapter/lora';
import type { AdapterWeights } from '../../src/adapter/spec';
import { askedIds } from '../../src/chat/manner';
import { TextStream } from '../../src/chat/stream';
import { greedyAnswers } from '../../src/evaluation/greedyAnswers';
import { answerable, inBatches } from '../../src/evaluation/questions';
import { scoreAnswers } from '../../src/evaluation/score';
import { hiddenStates, logitsOf, type Runnable } from '../../src/model/forward';
import { generate } from '../../src/model/generate';
import { rotaryTables } from '../../src/model/rotary';
import { disposeSight, sightOfDocuments } from '../../src/model/sight';
import type { Answer, AnswerRequest } from '../../src/protocol/answers';
import type { ScoreRequest, Scores } from '../../src/protocol/scores';
import { LONGEST_ANSWER } from '../../src/protocol/data';
import { runnable } from '../../src/training/run';
import * as tf from '@tensorflow/tfjs-core';
import { BadRequest } from '../failures';
import type { Library } from '../models/library';
import type { OpenModel } from '../models/modelFiles';
import { machine } from '../device/machine';

/** Held-out rows answered at once. */
const AT_ONCE = 16;

export class Answering {
  #library: Library;
  #adapterOf: (id: string, model: OpenModel) => Promise<AdapterWeights>;
  #cancelled = 0;

  constructor(library: Library, adapterOf: (id: string, model: OpenModel) => Promise<AdapterWeights>) {
    this.#library = library;
    this.#adapterOf = adapterOf;
  }

  cancel(): void {
    this.#cancelled++;
  }

  async answer(request: AnswerRequest, onText: (text: string) => void): Promise<Answer> {
    return this.#library.use(request.modelId, 'f16', (model) => this.#answer(model, request, onText));
  }

  async #answer(model: OpenModel, request: AnswerRequest, onText: (text: string) => void): Promise<Answer> {
    const { tokenizer, stopIds } = model.format;
    const prompt = askedIds(model.format, request.messages, request.manner);
    const { contextLength } = model.config;
    if (prompt.length >= contextLength)
      throw new BadRequest(
        `The question takes ${prompt.length.toLocaleString('en-US')} tokens, and ${model.summary.name} reads ${contextLength.toLocaleString('en-US')} at most, its answer included. Ask a shorter one.`,
      );
    const stream = new TextStream(tokenizer, prompt);
    const started = performance.now();
    const mine = this.#cancelled;
    const { temperature, topP, seed, maxTokens } = request.sampling;
    let text = '';
    let tokens = 0;
    let stopped = false;
    await this.#with(model, request.adapterId, async (ready) => {
      const run = generate(ready, [prompt], {
        maxTokens: roomFor(model, prompt.length, maxTokens),
        temperature,
        topP,
        random: randomFrom(seed),
        stopIds,
        cancelled: () => this.#cancelled !== mine,
      });
      for await (const [id = -1] of run) {
        tokens++;
        if (stopIds.includes(id)) {
          stopped = true;
          break;
        }
        const piece = stream.push(id);
        text += piece;
        if (piece !== '') onText(piece);
      }
    });
    const rest = stream.flush();
    if (rest !== '') onText(rest);
    return { text: text + rest, tokens, elapsed: performance.now() - started, stopped };
  }

  /** Base and adapter answer the same rows, greedily. */
  async score(request: ScoreRequest, onProgress: (done: number, of: number) => void): Promise<Scores> {
    return this.#library.use(request.modelId, 'f16', (model) => this.#score(model, request, onProgress));
  }

  async #score(
    model: OpenModel,
    request: ScoreRequest,
    onProgress: (done: number, of: number) => void,
  ): Promise<Scores> {
    const started = performance.now();
    const { tokenizer } = model.format;
    const tokensOf = (answer: string) => tokenizer.encodeAnswerAfter('', answer).length;
    const { rows, left } = answerable(request.rows, tokensOf, model.config.contextLength);
    if (rows.length === 0)
      throw new BadRequest(
        `None of the ${request.rows.length} held-out answers can be scored: each has more than ${LONGEST_ANSWER} tokens or does not fit behind its question.`,
      );
    const texts: Record<'base' | 'tuned', string[]> = { base: [], tuned: [] };
    const cut = { base: 0, tuned: 0 };
    const mine = this.#cancelled;
    for (const arm of ['base', 'tuned'] as const)
      await this.#with(model, arm === 'base' ? null : request.adapterId, async (ready) => {
        for (const batch of inBatches(rows, AT_ONCE, model.config.contextLength)) {
          if (this.#cancelled !== mine) break;
          const limit = Math.max(...batch.map((row) => row.limit));
          const answers = await greedyAnswers(ready, model.format, batch, limit);
          texts[arm].push(...answers.map(({ text }) => text));
          cut[arm] += answers.filter((answer) => answer.cut).length;
          onProgress(texts.base.length + texts.tuned.length, 2 * rows.length);
        }
      });
    const answered = rows.slice(0, texts.tuned.length).map((row, index) => ({
      prompt: row.promptText,
      question: row.question,
      reference: row.reference,
      base: texts.base[index] ?? '',
      tuned: texts.tuned[index] ?? '',
    }));
    const limit = Math.max(...rows.map((row) => row.limit));
    return scoreAnswers(answered, { seconds: (performance.now() - started) / 1000, left, limit, cut });
  }

  /** Logits after the last token of a prompt under an adapter: what an exported file is compared by. */
  async lastLogits(model: OpenModel, adapter: AdapterWeights, prompt: Int32Array): Promise<Float32Array> {
    const trainable = loraTrainable(model.config, model.weights, adapter.spec, adapter);
    const ready = runnable(model.config, trainable);
    const tables = rotaryTables(model.config, prompt.length);
    const sight = sightOfDocuments(model.config, new Int32Array(prompt.length), tables);
    const ids = tf.tensor1d(prompt, 'int32');
    const hidden = hiddenStates(ready, ids, sight);
    const logits = logitsOf(ready, hidden);
    const values = Float32Array.from(await logits.data());
    disposeSight(sight);
    tf.dispose([ids, ...tables, hidden, logits]);
    trainable.flat.dispose();
    (await machine()).check();
    return values;
  }

  async #with(
    model: OpenModel,
    adapterId: string | null,
    work: (ready: Runnable) => Promise<void>,
  ): Promise<void> {
    const { config, weights } = model;
    if (adapterId === null) {
      await work(baseModel(config, weights));
    } else {
      const adapter = await this.#adapterOf(adapterId, model);
      const trainable = loraTrainable(config, weights, adapter.spec, adapter);
      try {
        await work(runnable(config, trainable));
      } finally {
        trainable.flat.dispose();
      }
    }
    (await machine()).check();
  }
}

/** New tokens that fit behind a prompt. */
function roomFor(model: OpenModel, prompt: number, wanted: number): number {
  return Math.max(1, Math.min(wanted, model.config.contextLength - prompt));
}
