/** Every shape is recognised by its rows, said by name and read into the same kind of lesson. */
import { describe, expect, it } from 'vitest';
import { asMessages } from '../../src/dataset/example';
import { openDataset } from '../../src/dataset/open';
import { DataProblem, UnknownColumns } from '../../src/dataset/problem';
import type { ChosenColumns } from '../../src/protocol/datasetApi';
import { jsonLines, utf8 } from './bytes';

const turns = (...contents: string[]) =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));

describe('shapes', () => {
  it.each([
    ['Chat messages (OpenAI, ChatML)', { messages: turns('Q', 'A') }, turns('Q', 'A')],
    [
      'Chat messages (OpenAI, ChatML)',
      { prompt: 'Q', prompt_id: '1', messages: turns('Q', 'A') },
      turns('Q', 'A'),
    ],
    [
      'ShareGPT conversations',
      {
        system: 'S',
        tools: '[]',
        conversations: [
          { from: 'human', value: 'Q' },
          { from: 'GPT', value: 'A' },
        ],
      },
      [{ role: 'system', content: 'S' }, ...turns('Q', 'A')],
    ],
    ['UltraChat (alternating turns)', { id: '1', data: ['Q', 'A'] }, turns('Q', 'A')],
    [
      'Alpaca (instruction, input, output)',
      { instruction: 'Do', input: 'this', output: 'A' },
      turns('Do\n\nthis', 'A'),
    ],
    ['Alpaca (instruction, input, output)', { instruction: 'Do', input: '', output: 'A' }, turns('Do', 'A')],
    ['Prompt and completion', { prompt: 'Q', completion: ' A' }, turns('Q', ' A')],
    ['Input and output', { input: 'Q', output: 'A' }, turns('Q', 'A')],
    ['Question and answer', { question: 'Q', answer: 'A' }, turns('Q', 'A')],
    [
      'Table (“question” asks, “response” answers, “system_prompt” as the system text)',
      { system_prompt: 'S', question: 'Q', response: 'A' },
      [{ role: 'system', content: 'S' }, ...turns('Q', 'A')],
    ],
    ['Table (“article” asks, “summary” answers)', { article: 'Q', summary: 'A' }, turns('Q', 'A')],
    ['Table (“text” asks, “category” answers)', { text: 'Q', category: 'A' }, turns('Q', 'A')],
    ['Plain text', { text: 'T', url: 'x' }, [{ role: 'assistant', content: 'T' }]],
  ])('%s', async (shape, row, expected) => {
    const { report, examples } = await openDataset('rows.jsonl', jsonLines([row, row]));
    expect(report.shape).toBe(shape);
    expect(examples.map((example) => asMessages(example.lesson))).toEqual([expected, expected]);
  });

  it('prompt and completion as lists of turns are a conversation whose prompt is only read', async () => {
    const row = { prompt: turns('Q', 'A', 'R'), completion: [{ role: 'assistant', content: 'B' }] };
    const { examples } = await openDataset('rows.jsonl', jsonLines([row]));
    const lesson = examples[0]?.lesson;
    expect(lesson?.kind).toBe('chat');
    expect(lesson && asMessages(lesson).map(({ weight }) => weight)).toEqual([0, 0, 0, undefined]);
  });

  it.each([
    ['OpenAI', { input: { messages: [] }, preferred_output: [], non_preferred_output: [] }],
    ['chosen and rejected', { prompt: 'Q', chosen: 'A', rejected: 'B' }],
    ['responses', { instruction: 'Q', chosen_response: 'A', rejected_response: 'B' }],
    ['KTO', { prompt: 'Q', completion: 'A', label: true }],
    ['KTO', { conversations: [], kto_tag: false }],
    ['segments', { segments: [{ label: true, text: 'A' }] }],
  ])('%s is known and refused', async (words, row) => {
    await expect(openDataset('rows.jsonl', jsonLines([row]))).rejects.toThrow(words);
  });

  it('two columns that could be the answer are named, none is chosen', async () => {
    await expect(openDataset('a.csv', utf8('question,answer,reply\nq,a,r\n'))).rejects.toThrow(
      /could be the answer: “answer”, “reply”/,
    );
  });

  it('columns without a meaning are listed with the next move', async () => {
    await expect(openDataset('a.csv', utf8('foo,bar,baz\n1,2,3\n'))).rejects.toThrow(
      /“foo”, “bar”, “baz”. Name two of them “question” and “answer”/,
    );
  });

  it('a file that mixes shapes says how many of each', async () => {
    const rows = [
      { messages: turns('Q', 'A') },
      { instruction: 'Q', output: 'A' },
      { instruction: 'R', output: 'A' },
    ];
    await expect(openDataset('rows.jsonl', jsonLines(rows))).rejects.toThrow(
      /mixes shapes \(of 3 rows, Alpaca .*: 2; Chat messages .*: 1\)/,
    );
  });
});

describe('turns', () => {
  const read = async (messages: unknown) =>
    (await openDataset('rows.jsonl', jsonLines([{ messages }, { messages: turns('ok', 'ok') }]))).report;

  it('neighbours of one role are joined, and that is said', async () => {
    const report = await read([...turns('a', 'b'), { role: 'assistant', content: 'c' }]);
    expect(report.preview[0]).toEqual(turns('a', 'b\n\nc'));
    expect(report.warnings.join()).toMatch(/In 1 rows neighbouring turns of one role were joined/);
  });

  it('what follows the last answer is left out, and that is said', async () => {
    const report = await read(turns('a', 'b', 'c'));
    expect(report.preview[0]).toEqual(turns('a', 'b'));
    expect(report.warnings.join()).toMatch(/1 conversations end without an answer/);
  });

  it.each([
    [
      'null content',
      [{ role: 'user', content: null }, ...turns('q', 'a')],
      'Turn 1 (user): “content” is null, not text.',
    ],
    ['an empty answer', turns('q', ' '), 'Turn 2: the answer is empty.'],
    ['a number', [{ role: 'user', content: 3 }], 'Turn 1 (user): “content” is a number, not text.'],
    ['no answer', turns('q'), 'The conversation has no assistant turn, so there is nothing to learn.'],
    ['an unknown role', [{ role: 'narrator', content: 'x' }], 'Turn 1 has the unknown role “narrator”.'],
    [
      'a late system turn',
      [...turns('q', 'a'), { role: 'system', content: 's' }, ...turns('q', 'a')],
      'Turn 3 is a system turn; only the first turn may be one.',
    ],
    [
      'a tool call',
      [...turns('q'), { role: 'assistant', content: null, tool_calls: [{}] }],
      'Turn 2 calls a tool; rows with tool calls cannot be trained.',
    ],
    [
      'only unlearned answers',
      [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: 'a', weight: 0 },
      ],
      'Every answer has weight 0, so there is nothing to learn.',
    ],
    [
      'half a character',
      turns('q', 'a\ud83d'),
      'Half a character (the lone surrogate U+D83D) stands at position 2; it cannot be written as UTF-8.',
    ],
  ])('%s is rejected with its line and reason', async (_, messages, reason) => {
    const report = await read(messages);
    expect(report.kept).toBe(1);
    expect(report.rejected).toMatchObject([{ line: 1, reason }]);
    expect(report.rejected[0]?.excerpt).toMatch(/^\{"messages"/);
  });
});

describe('a table of two columns', () => {
  const open = (...lines: string[]) => openDataset('a.csv', utf8(lines.join('\n')));

  it.each([
    ['Frage;Antwort', 'Table (“Frage” asks, “Antwort” answers)'],
    ['答案,问题', 'Table (“问题” asks, “答案” answers)'],
    ['réponse,question', 'Table (“question” asks, “réponse” answers)'],
  ])('with names in another language is read by them: %s', async (header, shape) => {
    const sign = header.includes(';') ? ';' : ',';
    const { report } = await open(header, `one${sign}two`, `three${sign}four`);
    expect([report.shape, report.kept]).toEqual([shape, 2]);
    expect(report.warnings.join()).not.toContain('was taken for');
  });

  it.each([
    ['Clue,Town', 'Clue', 'Town'],
    ['Town,question', 'question', 'Town'],
    ['Mail,label', 'Mail', 'label'],
  ])(
    'is read by the order of its columns where a name does not tell, and says so: %s',
    async (header, asks, answers) => {
      const { report } = await open(header, 'one,two', 'three,four');
      expect(report.shape).toBe(`Table (“${asks}” asks, “${answers}” answers)`);
      expect(report.warnings.join()).toContain(
        `“${asks}” was taken for the question and “${answers}” for the answer`,
      );
    },
  );

  it.each([
    ['of which the first line is no header', 'How are you?,Fine thanks.'],
    ['of which the first line is numbers', '1,2'],
    ['of more columns', 'Clue,Town,Land'],
    ['of which one column has no name, as row numbers have', ',Town'],
    ['of which one column has no name beside an answer', ',answer'],
    ['of which one column has a name that is reserved', '__proto__,answer'],
  ])('%s is not guessed at', async (_, header) => {
    const row = header
      .split(',')
      .map((_, i) => `word ${i}`)
      .join();
    await expect(open(header, row, row)).rejects.toThrow('No column could be recognised as a question');
  });

  it('is what is guessed at: rows of JSON are not', async () => {
    await expect(
      openDataset(
        'a.jsonl',
        jsonLines([
          { clue: 'a', town: 'b' },
          { clue: 'c', town: 'd' },
        ]),
      ),
    ).rejects.toThrow('No column could be recognised');
  });
});

describe('a table whose columns do not tell', () => {
  const text = utf8('Clue,Town,Land\nover the  Rhine,Basel,CH\n,Bern,CH\non the Aare,Olten,CH');
  const open = (columns?: ChosenColumns) => openDataset('towns.csv', text, columns);

  it('is refused with its columns and what stands in each first', async () => {
    const problem = await open().then(String, (error: unknown) => error);
    expect(problem).toBeInstanceOf(UnknownColumns);
    expect((problem as UnknownColumns).columns).toEqual([
      { name: 'Clue', example: 'over the Rhine' },
      { name: 'Town', example: 'Basel' },
      { name: 'Land', example: 'CH' },
    ]);
  });

  it('is read as a person says', async () => {
    const { report } = await open({ question: 'Clue', answer: 'Town' });
    expect(report).toMatchObject({ shape: 'Table (“Clue” asks, “Town” answers)', kept: 2 });
    expect(report.preview[0]?.map(({ content }) => content)).toEqual(['over the  Rhine', 'Basel']);
    expect(report.rejected).toMatchObject([{ line: 3 }]); // asks nothing
    const turned = await open({ question: 'Land', answer: 'Clue' });
    expect(turned.report.preview[1]?.map(({ content }) => content)).toEqual(['CH', 'on the Aare']);
  });

  it('is not read by columns that are the same or that it has not', async () => {
    await expect(open({ question: 'Clue', answer: 'Clue' })).rejects.toThrow('Choose two columns');
    const problem = await open({ question: 'Clue', answer: 'City' }).then(String, (error: unknown) => error);
    expect(String(problem)).toContain('Only 0 of 3 rows have “Clue” and “City”');
    expect((problem as UnknownColumns).columns).toHaveLength(3); // and may be chosen again
  });

  it('offers none where its first line is a row', async () => {
    const rows = utf8('How are you?,Fine.,3\nAnd you?,Well.,4');
    const problem = await openDataset('a.csv', rows).then(String, (error: unknown) => error);
    expect(problem).toBeInstanceOf(DataProblem);
    expect(problem).not.toBeInstanceOf(UnknownColumns);
  });

  it('of JSON offers the keys that most rows have', async () => {
    const rows = jsonLines([
      { clue: 'a', town: 'b' },
      { clue: 'c', town: 'd', land: 'e' },
      { clue: 'f', town: 'g' },
    ]);
    const problem = await openDataset('a.jsonl', rows).then(String, (error: unknown) => error);
    expect((problem as UnknownColumns).columns.map(({ name }) => name)).toEqual(['clue', 'town']);
    const opened = await openDataset('a.jsonl', rows, { question: 'clue', answer: 'town' });
    expect(opened.report.kept).toBe(3);
  });
});
