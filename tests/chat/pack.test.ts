/** Packing loses nothing, mixes nothing and always gives the same rows. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MaskedRow } from '../../src/chat/mask';
import { cutLong, pack, placeFirstFit } from '../../src/chat/pack';

const document = (ids: number[], learn: number[]): MaskedRow => ({
  ids: Int32Array.from(ids),
  learn: Uint8Array.from(learn),
});

describe('pack', () => {
  it('two documents in one row: next-token targets, restarts, and padding that is a document of its own', () => {
    const packed = pack([document([5, 6, 7], [0, 0, 1]), document([8, 9], [0, 1])], 8);
    expect(packed).toMatchObject({ length: 8, rows: 1, examples: 2, supervised: 2 });
    expect(Array.from(packed.ids)).toEqual([5, 6, 7, 8, 9, 0, 0, 0]);
    // Position 1 predicts 7 and position 3 predicts 9; position 2 must not predict the next document's 8.
    expect(Array.from(packed.targets)).toEqual([-1, 7, -1, 9, -1, -1, -1, -1]);
    expect(Array.from(packed.documentStart)).toEqual([0, 0, 0, 3, 3, 5, 5, 5]);
  });

  it('a document goes into the first row that has room', () => {
    // 5 | 4 → second row; 3 → first; 4 → second; 1 → third, because both are full.
    expect(placeFirstFit([5, 4, 3, 4, 1], 8)).toEqual({
      places: [
        [0, 0],
        [1, 0],
        [0, 5],
        [1, 4],
        [2, 0],
      ],
      rows: 3,
    });
  });

  it('a document that is longer than a row is an error, never cut unseen', () => {
    expect(() => pack([document([1, 2, 3], [0, 1, 1])], 2)).toThrow(
      /3 tokens cannot be packed into rows of 2/,
    );
  });

  it('equals the slow definition for any documents', () => {
    const arbitrary = fc.array(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.boolean()), { minLength: 2, maxLength: 12 }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(arbitrary, (raw) => {
        const documents = raw.map((tokens) =>
          document(
            tokens.map(([id]) => id),
            tokens.map(([, learn], t) => (t > 0 && learn ? 1 : 0)),
          ),
        );
        const packed = pack(documents, 12);
        const room: number[] = [];
        let supervised = 0;
        for (const { ids, learn } of documents) {
          let row = room.findIndex((left) => left >= ids.length);
          if (row === -1) row = room.push(12) - 1;
          const at = 12 - (room[row] ?? 0);
          room[row] = (room[row] ?? 0) - ids.length;
          ids.forEach((id, t) => {
            const place = row * 12 + at + t;
            expect(packed.ids[place]).toBe(id);
            expect(packed.documentStart[place]).toBe(at);
            const learned = learn[t + 1] === 1;
            expect(packed.targets[place]).toBe(learned ? ids[t + 1] : -1);
            if (learned) supervised++;
          });
        }
        expect(packed.rows).toBe(room.length);
        expect(packed.supervised).toBe(supervised);
        room.forEach((left, row) => {
          for (let t = 12 - left; t < 12; t++) {
            expect(packed.targets[row * 12 + t]).toBe(-1);
            expect(packed.documentStart[row * 12 + t]).toBe(12 - left);
          }
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe('long texts', () => {
  it('are cut into pieces that follow each other; a single last token has nothing to predict and goes', () => {
    const pieces = cutLong(document([1, 2, 3, 4, 5, 6, 7], [0, 1, 1, 1, 1, 1, 1]), 3);
    expect(pieces.map(({ ids, learn }) => [Array.from(ids), Array.from(learn)])).toEqual([
      [
        [1, 2, 3],
        [0, 1, 1],
      ],
      [
        [4, 5, 6],
        [0, 1, 1],
      ],
    ]);
  });
});
