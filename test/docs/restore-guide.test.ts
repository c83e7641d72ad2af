import { expect, test } from 'vitest';
import { codeBlocks, readDocument } from './markdown.ts';
import { shellWords, wholeLines } from './shell-words.ts';

const blocks = codeBlocks(readDocument('docs/restore-guide.md'));

function commandsIn(text: string, continuation: '\\' | '`'): string[][] {
  return wholeLines(text, continuation)
    .filter((line) => line.startsWith('thaw '))
    .map(shellWords);
}

const table = ['--database', 'production_db', '--table', 'audit_logs'];
const all = ['--config', 'config.yaml', '--restore-all', ...table];
const january = ['--start-date', '2026-01-01', '--end-date', '2026-01-31'];
const skip = ['--conflict-strategy', 'skip'];

/** The commands of the archiver's restore guide, by their flags. */
test.each([
  [[...all, ...skip]],
  [[...all, ...january, ...skip]],
  [[...all, '--dry-run']],
  [['--config', 'config.yaml', ...table]],
  [[...all, '--ignore-watermark']],
  [[...all, ...january, '--ignore-watermark']],
  [[...all, '--conflict-strategy', 'overwrite']],
  [[...all, '--schema-migration-strategy', 'lenient']],
  [[...all, '--drop-indexes']],
  [[...all, '--commit-frequency', '10']],
])('the document has `restore %s`', (flags) => {
  const commands = blocks.flatMap(({ text }) => commandsIn(text, '\\'));
  expect(commands).toContainEqual(['thaw', 'restore', ...flags]);
});

test('a command that PowerShell writes otherwise stands there for PowerShell too, word for word', () => {
  const written = blocks.flatMap((block, place) =>
    block.language === 'bash' && /\\\n|^export /m.test(block.text)
      ? [{ block, next: blocks[place + 1] }]
      : [],
  );
  expect(written.length).toBeGreaterThan(10);
  for (const { block, next } of written) {
    expect(next?.language).toBe('powershell');
    expect(commandsIn(next?.text ?? '', '`')).toEqual(commandsIn(block.text, '\\'));
    const variables = (pattern: RegExp, text = '') =>
      Array.from(text.matchAll(pattern), ([, name, value]) => [name, value]);
    expect(variables(/^\$env:(\w+) = "(.*)"$/gm, next?.text)).toEqual(
      variables(/^export (\w+)=(.*)$/gm, block.text),
    );
  }
});
