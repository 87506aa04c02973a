/** What the app shows of each lesson, and the settings it is trained with. */
import type { Settings } from '../../src/protocol/settings';

export interface LessonCard {
  id: string;
  title: string;
  summary: string;
  file: string;
  /** A question to try that is in no row. */
  question: string;
  settings: Partial<Settings>;
}

/** A tiny model wants a higher rate than a real one: its weights are few and its answers short. */
const tiny: Partial<Settings> = {
  rank: 16,
  alpha: 32,
  learningRate: 3e-3,
  schedule: 'cosine',
  warmupSteps: 5,
  sequenceLength: 128,
  batchExamples: 12,
  evaluateEvery: 20,
  patience: 4,
  seed: 42,
};

export const lessonCards: LessonCard[] = [
  {
    id: 'shop-messages',
    title: 'Sort messages to a shop',
    summary:
      'The model learns to classify: it reads a short message and answers with one word: order, return, problem, question or thanks.',
    file: 'shop-messages.jsonl',
    question: 'Please send me four yellow pears.',
    settings: { ...tiny, epochs: 4 },
  },
  {
    id: 'shop-voice',
    title: 'Answer in the shop’s voice',
    summary:
      'The model learns a style: it answers every kind of message with the shop’s own short line and the mark that goes before it.',
    file: 'shop-voice.jsonl',
    question: 'The brown lamps are broken.',
    settings: { ...tiny, epochs: 4 },
  },
];
