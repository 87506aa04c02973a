/** Reads single values of a config.json; what is missing or unusable is an error that names the key. */
export type Json = Record<string, unknown>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A finite number above 0; null and absent mean `otherwise`. */
export function positive(json: Json, key: string, otherwise?: number): number {
  const value = json[key] ?? otherwise;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
    throw new Error(`config.json has no usable ${key} (found ${JSON.stringify(json[key])}).`);
  return value;
}

/** A whole number above 0. */
export function count(json: Json, key: string, otherwise?: number): number {
  const value = positive(json, key, otherwise);
  if (!Number.isSafeInteger(value))
    throw new Error(`config.json's ${key} must be a whole number (found ${value}).`);
  return value;
}

export function optional(json: Json, key: string): number | null {
  return json[key] === undefined || json[key] === null ? null : positive(json, key);
}
