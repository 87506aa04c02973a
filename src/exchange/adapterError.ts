/** An adapter and a model that do not belong together: what the model expects and what the file holds, side by side. */
export class AdapterError extends Error {
  override name = 'AdapterError';
  constructor(
    message: string,
    readonly expected: string,
    readonly found: string,
  ) {
    super(`${message} Expected ${expected}; found ${found}.`);
  }
}
