/** Files that are broken, wrong or hostile: each is mended visibly or refused with what, where and the next move. */
import { gzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { guessDelimiter } from '../../src/dataset/delimited';
import { openDataset } from '../../src/dataset/open';
import { jsonLines, questions, utf8 } from './bytes';

describe('nothing in it', () => {
  it.each([
    ['an empty file', ''],
    ['only a mark', '\ufeff'],
    ['only newlines', '\n\r\n\n'],
  ])('%s has no rows', async (_, text) => {
    await expect(openDataset('a.jsonl', utf8(text))).rejects.toThrow(/no rows/);
  });

  it('a table with a header only', async () => {
    await expect(openDataset('a.csv', utf8('question,answer\n'))).rejects.toThrow(/no rows/);
  });
});

describe('bytes', () => {
  const text = '{"question":"Größe?","answer":"Ä 🙂"}\n{"question":"b","answer":"c"}';
  it('UTF-16 with its mark is read as such, and that is said', async () => {
    const little = new Uint8Array(2 + text.length * 2);
    little.set([0xff, 0xfe]);
    for (let i = 0; i < text.length; i++)
      new DataView(little.buffer).setUint16(2 + i * 2, text.charCodeAt(i), true);
    const { report } = await openDataset('a.jsonl', little);
    expect(report.preview[0]?.[1]?.content).toBe('Ä 🙂');
    expect(report.warnings.join()).toContain('UTF-16 (little endian)');
  });

  it('Latin-1 is refused with its first line, never replaced', async () => {
    const latin = Uint8Array.from('{"text":"ok"}\n{"text":"Größe"}', (letter) => letter.charCodeAt(0));
    await expect(openDataset('a.jsonl', latin)).rejects.toThrow(/Line 2 is not UTF-8 .*Größe/);
  });

  it('archives and Parquet are named and not opened', async () => {
    await expect(openDataset('a.jsonl', new Uint8Array(gzipSync(utf8('{}'))))).rejects.toThrow(
      'gzip archive',
    );
    await expect(openDataset('../../a.jsonl', utf8('PK\u0003\u0004'))).rejects.toThrow('zip archive');
    await expect(openDataset('a.parquet', utf8('PAR1'))).rejects.toThrow('Parquet');
  });

  it('emoji, CJK, decomposed letters and markup come back exactly', async () => {
    const hard = 'e\u0301 你好 👩‍👩‍👧‍👦 <script>alert(1)</script> \u202e\u200b javascript:x';
    const { report } = await openDataset(
      'a.jsonl',
      jsonLines([
        { question: hard, answer: hard },
        { question: 'b', answer: 'c' },
      ]),
    );
    expect(report.preview[0]?.map(({ content }) => content)).toEqual([hard, hard]);
  });
});

describe('JSON', () => {
  it('one broken line in a thousand: 999 rows, the line and its text', async () => {
    const lines = questions(1000).map((row) => JSON.stringify(row));
    lines[499] = '{"question": "broken';
    const { report } = await openDataset('a.jsonl', utf8(lines.join('\r\n')));
    expect(report).toMatchObject({ rows: 1000, kept: 999, warnings: [] });
    expect(report.rejected).toEqual([
      {
        line: 500,
        reason: 'Not JSON: the row breaks off before its closing bracket.',
        excerpt: '{"question": "broken',
      },
    ]);
  });

  it('a first line that is cut off takes no other with it', async () => {
    const lines = questions(30).map((row) => JSON.stringify(row));
    lines[0] = '{"question": "broken';
    const { report } = await openDataset('a.jsonl', utf8(lines.join('\n')));
    expect(report).toMatchObject({ container: 'JSON Lines', rows: 30, kept: 29 });
  });

  it.each([
    ['cut off', '{"question": "q", "answer": "a', 'the row breaks off before its closing bracket'],
    ['cut off in a list', '{"messages": [{"role": "user", "con', 'the row breaks off'],
    ['as Python prints them', "{'question': 'q', 'answer': 'a'}", 'single quotes, as Python prints them'],
  ])('thirty lines %s are told as lines, with the reason of the first', async (_, line, reason) => {
    await expect(openDataset('a.jsonl', utf8(`${line}\n`.repeat(30)))).rejects.toThrow(
      new RegExp(`^None of the 30 lines of this JSON Lines file could be read. Line 1: Not JSON: ${reason}`),
    );
  });

  it('one broken object over many lines is told as one', async () => {
    const text = JSON.stringify({ data: questions(3) }, null, 1).slice(0, -1);
    await expect(openDataset('a.json', utf8(text))).rejects.toThrow(/holds one JSON object that cannot be/);
  });

  it('more than 5 % broken is said first', async () => {
    const lines = questions(100).map((row, i) => (i % 10 === 0 ? "{'question': 'q'}" : JSON.stringify(row)));
    const { report } = await openDataset('a.jsonl', utf8(lines.join('\n')));
    expect(report.warnings[0]).toMatch(/^10 of 100 rows \(10 %\) cannot be used/);
    expect(report.rejected[0]?.reason).toMatch(/single quotes, as Python prints them/);
  });

  it('an array in a .jsonl file is read as an array, and that is said; lines are those of the file', async () => {
    const text = `[\n${questions(3)
      .map((row) => JSON.stringify(row))
      .join(',\n')},\n{"question": 3}\n]`;
    const { report } = await openDataset('a.jsonl', utf8(text));
    expect(report).toMatchObject({ container: 'JSON array', rows: 4, kept: 3 });
    expect(report.warnings.join()).toContain('named as JSON Lines but holds a JSON array');
    expect(report.rejected[0]?.line).toBe(5);
  });

  it.each([
    [
      'pretty-printed objects',
      (rows: unknown[]) => rows.map((row) => JSON.stringify(row, null, 2)).join('\n'),
    ],
    ['objects without a break', (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).join('')],
    ['an array that is cut off', (rows: unknown[]) => JSON.stringify(rows).slice(0, -1)],
    ['a trailing comma', (rows: unknown[]) => JSON.stringify(rows).replace(/\]$/, ',]')],
    [
      'an object with the rows inside',
      (rows: unknown[]) => JSON.stringify({ version: 1, data: rows }, null, 1),
    ],
  ])('%s can be read', async (_, write) => {
    const { report } = await openDataset('a.json', utf8(write(questions(3))));
    expect(report).toMatchObject({ rows: 3, kept: 3, rejected: [] });
  });

  it('100,000 levels and one line of 50 MB are refused before they are parsed', async () => {
    const good = JSON.stringify(questions(1)[0]);
    const deep = `{"question":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    const long = `{"question":"${'x'.repeat(50_000_000)}","answer":"a"}`;
    const { report } = await openDataset('a.jsonl', utf8([good, deep, long].join('\n')));
    expect(report.rejected.map(({ line, reason }) => [line, reason.slice(0, 50)])).toEqual([
      [2, 'The row is nested more than 64 levels deep.'],
      [3, 'The row has 50000028 characters; at most 4194304 a'],
    ]);
  });

  it('__proto__ in a row changes no prototype', async () => {
    const text = '{"question":"a","answer":"b","__proto__":{"polluted":1}}\n{"question":"c","answer":"d"}';
    const { report } = await openDataset('a.jsonl', utf8(text));
    expect(report.kept).toBe(2);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('tables', () => {
  it.each([
    [';', 'a.csv'],
    ['\t', 'a.tsv'],
    ['|', 'a.csv'],
    [',', 'a.csv'],
  ])('the delimiter %j is found, even with one row', (delimiter, name) => {
    expect(guessDelimiter(`question${delimiter}answer\nIs it, or not?${delimiter}Yes\n`, name)).toBe(
      delimiter,
    );
  });

  it('quoted newlines keep the line numbers right; ragged rows are rejected', async () => {
    const { report } = await openDataset(
      'a.csv',
      utf8('question,answer\n"two\nlines","say ""hi"""\nonly one\nq,a\n'),
    );
    expect(report.preview[0]?.map(({ content }) => content)).toEqual(['two\nlines', 'say "hi"']);
    expect(report.rejected).toEqual([
      { line: 4, reason: 'The row has 1 cells; the header names 2.', excerpt: 'only one' },
    ]);
    expect(report.kept).toBe(2);
  });

  it('a quote that is never closed names its first line', async () => {
    const { report } = await openDataset('a.csv', utf8('question,answer\nq,a\nr,"b\ns,c\n'));
    expect(report.rejected[0]).toMatchObject({ line: 3 });
    expect(report.rejected[0]?.reason).toMatch(/quote opened in line 3 is never closed/);
  });

  it('reserved, empty and double column names are renamed visibly', async () => {
    const { report } = await openDataset(
      'a.csv',
      utf8('question,answer,__proto__,constructor,,question\nq,a,x,y,z,w\n'),
    );
    const said = report.warnings.join('\n');
    for (const words of [
      '“__proto__” is reserved',
      '“constructor” is reserved',
      'Column 5 has no name',
      'Two columns are named “question”',
    ]) {
      expect(said).toContain(words);
    }
    expect(report.kept).toBe(1);
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  });

  it('turns may stand in a cell as JSON', async () => {
    const cell = JSON.stringify([
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ]).replaceAll('"', '""');
    const { report } = await openDataset('a.csv', utf8(`messages\n"${cell}"\n`));
    expect(report).toMatchObject({ kept: 1, shape: 'Chat messages (OpenAI, ChatML)' });
  });
});

describe('names', () => {
  it('an unknown kind is refused with those that can be read', async () => {
    await expect(openDataset('a.docx', utf8('hello'))).rejects.toThrow(
      /Choose .jsonl, .json, .csv, .tsv, .txt or .md/,
    );
  });

  it('a text file is its blocks between blank lines', async () => {
    const { report } = await openDataset('a.txt', utf8('one\ntwo\n\n\nthree\n'));
    expect(report.preview.map(([turn]) => turn?.content)).toEqual(['one\ntwo', 'three']);
    expect(report.plain).toBe(true);
  });
});
