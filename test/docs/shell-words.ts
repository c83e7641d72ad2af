/** The words of a command line as a shell reads them: quotes are taken off, and what follows a pipe is left out. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (const character of line) {
    if (quote !== '' || character === "'" || character === '"') {
      word ??= '';
      if (quote === '') quote = character;
      else if (character === quote) quote = '';
      else word += character;
    } else if (character === ' ') {
      if (word !== null) words.push(word);
      word = null;
    } else if (word === null && /[|>;&#]/.test(character)) {
      return words;
    } else {
      word = (word ?? '') + character;
    }
  }
  return word === null ? words : [...words, word];
}

/** Lines of a text, each with the ones that a sign at its end (`\` in bash, `` ` `` in PowerShell) goes on in. */
export function wholeLines(text: string, continuation: '\\' | '`' = '\\'): string[] {
  const lines: string[] = [];
  let open = '';
  for (const line of text.split('\n')) {
    const whole = open === '' ? line : `${open} ${line.trim()}`;
    if (whole.endsWith(continuation)) {
      open = whole.slice(0, -1).trimEnd();
    } else {
      lines.push(whole);
      open = '';
    }
  }
  return lines;
}
