/** Typed looks into the keys of a GGUF file. A key of the wrong kind is an error that names it; a missing one is undefined. */
import { FormatError } from '../safetensors';
import type { GgufHeader } from './container';

export class Metadata {
  constructor(readonly pairs: GgufHeader['pairs']) {}

  string(key: string): string | undefined {
    return this.#typed(key, 'a text', (value) => typeof value === 'string');
  }
  boolean(key: string): boolean | undefined {
    return this.#typed(key, 'yes or no', (value) => typeof value === 'boolean');
  }
  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value) => typeof value === 'number' && Number.isFinite(value));
  }
  strings(key: string): string[] | undefined {
    return this.#list(key, 'a list of texts', (value) => typeof value === 'string');
  }
  numbers(key: string): number[] | undefined {
    return this.#list(key, 'a list of numbers', (value) => typeof value === 'number');
  }

  /** A whole number above zero that must be there. */
  size(key: string): number {
    const value = this.number(key);
    if (value === undefined) throw new FormatError(`The file has no key ${key}.`);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new FormatError(`${key} is ${value}; a whole number above zero is needed.`);
    return value;
  }

  #typed<T>(key: string, what: string, is: (value: unknown) => boolean): T | undefined {
    const value: unknown = this.pairs.get(key);
    if (value !== undefined && !is(value)) throw new FormatError(`The value of ${key} is not ${what}.`);
    return value as T | undefined;
  }

  #list<T>(key: string, what: string, is: (value: unknown) => boolean): T[] | undefined {
    return this.#typed(key, what, (value) => Array.isArray(value) && value.every(is));
  }
}
