/**
 * The Modelfile that puts the GGUF adapter over a base in Ollama. TEMPLATE and stop marks are left to the base: it was
 * trained with its own, and a second, differing one is how good adapters turn to gibberish.
 */
export interface ModelfileRequest {
  /** The base as a GGUF file beside the Modelfile, or null when the person must name it. */
  basePath: string | null;
  baseName: string;
  adapterPath: string;
}

export function writeModelfile({ basePath, baseName, adapterPath }: ModelfileRequest): string {
  const from =
    basePath === null
      ? [
          `# Put Ollama's name of ${oneLine(baseName)} (for example llama3.2:1b), or the path of its GGUF file, after FROM.`,
          `FROM ${oneLine(baseName)}`,
        ]
      : [`# ${oneLine(baseName)}`, `FROM ./${basePath}`];
  return [...from, `ADAPTER ./${adapterPath}`, 'PARAMETER temperature 0', ''].join('\n');
}

/** A line break in a name would start a new instruction. */
const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim();
