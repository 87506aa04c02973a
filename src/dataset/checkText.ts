/** Characters that a row may not hold, because they would not come back as they went in. */
import type { Lesson } from './example';
import { asMessages } from './example';

/**
 * A noncharacter, never part of a text that is exchanged. The chat template uses it to hold apart what a person wrote from
 * what the template prints.
 */
export const GUARD = '\u{FDD0}';
/** Another one, which stands for an answer while the template is asked where it prints it. */
export const ANSWER_PLACE = '\u{FDD1}';

export function whyTextFails(lesson: Lesson): string | null {
  for (const { content } of asMessages(lesson)) {
    const half = /\p{Surrogate}/u.exec(content);
    if (half !== null) {
      const code = half[0].charCodeAt(0).toString(16).toUpperCase();
      return `Half a character (the lone surrogate U+${code}) stands at position ${half.index + 1}; it cannot be written as UTF-8.`;
    }
    if (content.includes(GUARD))
      return 'The text holds U+FDD0, a code point that is reserved for internal use.';
  }
  return null;
}
