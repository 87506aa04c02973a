/** Chooses how a file's text is cut into rows: by its name first, and by its first character where the name is wrong. */
import { readDelimited } from './delimited';
import { readJson } from './json';
import { readPlainText } from './plainText';
import { DataProblem } from './problem';
import type { Container } from './record';

export function readContainer(text: string, name: string): Container {
  const first = /\S/.exec(text)?.[0];
  if (first === undefined)
    throw new DataProblem('The file has no rows: it is empty. Choose a file with at least two rows.');
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  const jsonInside = first === '{' || first === '[';
  switch (extension) {
    case 'jsonl':
    case 'ndjson':
    case 'json':
      if (jsonInside || looksBroken(first)) return readJson(text, name);
      return withNote(
        readDelimited(text, name),
        `The file is named .${extension} but does not hold JSON; it was read as a table.`,
      );
    case 'csv':
    case 'tsv':
      if (first === '{')
        return withNote(
          readJson(text, name),
          `The file is named .${extension} but holds JSON; it was read as JSON.`,
        );
      return readDelimited(text, name);
    case 'txt':
    case 'md':
    case 'text':
      return readPlainText(text);
    default:
      if (jsonInside) return readJson(text, name);
      throw new DataProblem(
        `Files named “${name}” cannot be read. Choose .jsonl, .json, .csv, .tsv, .txt or .md.`,
      );
  }
}

/** A .json file that begins with a quote or a letter is more likely a broken JSON row than a table without a header. */
function looksBroken(first: string): boolean {
  return first === '"' || first === "'";
}

function withNote(container: Container, note: string): Container {
  return { ...container, notes: [note, ...container.notes] };
}
