/** A question to a model and its answer. */
import type { Milliseconds, Tokens } from '../units';
import type { Manner, Message } from './data';

export interface SamplingOptions {
  /** 0 is greedy. */
  temperature: number;
  topP: number;
  seed: number;
  maxTokens: Tokens;
}

export interface AnswerRequest {
  /** How the question is put; absent: in the chat template. */
  manner?: Manner;
  modelId: string;
  /** null: the base model. */
  adapterId: string | null;
  messages: Message[];
  sampling: SamplingOptions;
}

export interface Answer {
  text: string;
  tokens: Tokens;
  elapsed: Milliseconds;
  stopped: boolean;
}
