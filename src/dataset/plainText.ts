/** A .txt or .md file becomes rows of text: the blocks between blank lines. */
import { linesOf } from './lines';
import type { Container, RawRow } from './record';

export function readPlainText(text: string): Container {
  const rows: RawRow[] = [];
  let block: string[] = [];
  let start = 1;
  const finish = (): void => {
    if (block.length === 0) return;
    const whole = block.join('\n');
    rows.push({ line: start, text: whole, value: { ok: true, row: { text: whole } } });
    block = [];
  };
  for (const { line, text: content } of linesOf(text)) {
    if (!/\S/.test(content)) finish();
    else {
      if (block.length === 0) start = line;
      block.push(content);
    }
  }
  finish();
  return { label: 'Plain text', rows, notes: [], columns: null };
}
