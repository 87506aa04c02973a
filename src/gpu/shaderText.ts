/** Shader texts that are put together from pieces, each once: the dispatch finds a pipeline by the string, read or not. */

const texts = new Map<string, Map<string, string>>();

/** The text that `write` makes for this source and variant; asked again, the same string. */
export function shaderText(source: string, variant: string, write: () => string): string {
  let ofSource = texts.get(source);
  if (!ofSource) texts.set(source, (ofSource = new Map<string, string>()));
  let text = ofSource.get(variant);
  if (text === undefined) ofSource.set(variant, (text = write()));
  return text;
}
