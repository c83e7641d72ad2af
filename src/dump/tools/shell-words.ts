import { ThawError } from '../../contract/thaw-error.ts';

/** Behind a backslash within double quotes, what loses its meaning by it; before anything else the backslash stays. */
const escapable = new Set(['$', '`', '"', '\\']);

/**
 * Splits a text into words as a POSIX shell does: by white space, with quotes and backslashes. Nothing is
 * expanded and nothing run: `$HOME`, `*` and `;` are what they are.
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_02
 *
 * @param name of the setting, for the message
 * @throws ThawError `InputInvalid` for a quote that is not closed, and a backslash at the end
 */
export function shellWords(text: string, name: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: "'" | '"' | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === quote) {
      quote = null;
    } else if (quote === "'") {
      word += character;
    } else if (character === '\\') {
      at += 1;
      if (at === text.length) throw unfinished(name, 'it ends in a backslash');
      const next = text.charAt(at);
      // A backslash before a line break continues the line.
      if (next === '\n') continue;
      word = (word ?? '') + (quote === '"' && !escapable.has(next) ? character : '') + next;
    } else if (quote === null && (character === "'" || character === '"')) {
      quote = character;
      word ??= '';
    } else if (quote === null && /\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== null) throw unfinished(name, `a ${quote} is not closed`);
  if (word !== null) words.push(word);
  return words;
}

function unfinished(name: string, what: string): ThawError {
  return new ThawError('InputInvalid', `${name}: ${what}`, {
    object: name,
    hint: 'Write it as on a command line, with closed quotes.',
  });
}
