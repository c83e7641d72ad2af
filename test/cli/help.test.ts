import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { environmentVariables } from '../../src/config/environment.ts';
import { shellWords, wholeLines } from '../docs/shell-words.ts';
import { expectParsed, idleProgram } from './parsed-command.ts';

const source = path.join(import.meta.dirname, '../../src');

/** Every command by its words, such as `rejects list`; the program itself has none. */
function commandsBelow(command: Command, words = ''): (readonly [string, Command])[] {
  const inner = command.commands.flatMap((each) => commandsBelow(each, `${words} ${each.name()}`.trim()));
  return [[words, command], ...inner];
}

const commands = commandsBelow(idleProgram());

/** The help of a command, the text after its options too. */
function helpOf(words: string): string {
  let help = '';
  const command = new Map(commands).get(words);
  command?.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command?.outputHelp();
  return help;
}

/** The command lines of the examples, without what is said beside them. */
function examplesOf(words: string): string[] {
  const [, examples = ''] = helpOf(words).split(/^Examples:$/m);
  return wholeLines(examples)
    .flatMap((line) => /^ {2,4}(?:\w+=\S* )*(thaw .*)$/.exec(line)?.[1] ?? [])
    .map((line) => line.replace(/ {2,}.*$/, ''));
}

describe.each(commands.map(([words]) => words))('thaw %s --help', (words) => {
  it('has examples of the command, and each can be read', async () => {
    const examples = examplesOf(words);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example).toContain(`thaw ${words}`.trim());
      const [, ...args] = shellWords(example);
      await expectParsed(args);
    }
  });
});

it('an example with a flag that is not there would be found', async () => {
  await expect(expectParsed(['restore', '--restore-al'])).rejects.toThrow(/unknown option/);
  await expect(expectParsed(['restore', '--restore-all', '--conflict-strategy', 'merge'])).rejects.toThrow();
});

it('help tells the flags of `restore` in groups', () => {
  const headings = helpOf('restore').match(/^[A-Z][^\n]*:$/gm);
  expect(headings).toEqual([
    'Options:',
    'What is restored:',
    'Where it goes:',
    'Rows and columns that do not fit:',
    'What was restored before:',
    'Checks:',
    'Speed:',
    'Temporal:',
    'Output:',
    'Examples:',
  ]);
});

it('help tells every environment variable that the sources read', () => {
  const sources = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    // The stack sets its variables for others.
    (file) => file.endsWith('.ts') && !file.startsWith('stack'),
  );
  const read = sources.flatMap((file) =>
    Array.from(
      readFileSync(path.join(source, file), 'utf8').matchAll(
        /\benv(?:\.|, ')((?:THAW|TEMPORAL|AWS|PG)\w+)|name: '((?:THAW|TEMPORAL|AWS|PG)\w+)'/g,
      ),
      ([, direct, named]) => direct ?? named ?? '',
    ),
  );
  const help = helpOf('');
  expect(read.length).toBeGreaterThan(10);
  for (const name of new Set(read)) {
    // Set for the SDK and not by its users.
    if (name !== 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED') expect(help).toContain(name);
  }
  for (const name of Object.keys(environmentVariables)) expect(help).toContain(name);
});
