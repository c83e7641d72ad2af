import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { expectParsed } from '../cli/parsed-command.ts';
import { codeBlocks, readDocument } from './markdown.ts';
import { shellWords, wholeLines } from './shell-words.ts';

const docs = readdirSync(path.join(import.meta.dirname, '../../docs')).filter((name) => name.endsWith('.md'));

/** Command lines in fenced blocks, whatever stands before `thaw` on the line. */
function commandsOf(document: string): string[] {
  return codeBlocks(document)
    .filter(({ language }) => ['', 'bash', 'sh', 'console'].includes(language))
    .flatMap(({ text }) => wholeLines(text))
    .flatMap((line) => /^(?:\$ )?(?:\w+=\S* )*(?:npx )?thaw (?!dev: )(.*)$/.exec(line)?.[1] ?? []);
}

test.each(['README.md', ...docs.map((name) => `docs/${name}`)])(
  'every command in %s can be read',
  async (file) => {
    for (const command of commandsOf(readDocument(file))) {
      // What stands for a value of the reader's own is no value that could be read.
      if (/[A-Z]{3,}|\.\.\.|…/.test(command)) continue;
      await expect(expectParsed(shellWords(command)), command).resolves.toBeUndefined();
    }
  },
);

test('there are commands', () => {
  expect(docs.flatMap((name) => commandsOf(readDocument(`docs/${name}`))).length).toBeGreaterThan(25);
});
