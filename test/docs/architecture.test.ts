import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createActivities } from '../../activities/create-activities.ts';
import { workflowTypes } from '../../src/contract/names.ts';
import { schemaSql } from '../../src/postgres/schema.ts';
import { idleProgram } from '../cli/parsed-command.ts';
import { codeIn, readDocument, tableRows } from './markdown.ts';

const root = path.join(import.meta.dirname, '../..');
const architecture = readDocument('docs/architecture.md');

/** What stands in the first column of a table. */
function told(heading: string): string[] {
  return tableRows(architecture, heading)
    .flatMap(([first = '']) => codeIn(first))
    .sort();
}

test('the workflows are those that a worker runs', () => {
  expect(told('workflow')).toEqual(Object.values(workflowTypes).sort());
});

test('the activities are those that a worker runs', () => {
  // Made with nothing: their names are all that is asked for.
  const nothing = {} as Parameters<typeof createActivities>;
  const activities = createActivities(nothing[0], nothing[1], false, nothing[3]);
  expect(told('activity')).toEqual(Object.keys(activities).sort());
});

test('the folders are those of the sources', () => {
  const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `src/${name}/`);
  expect(told('folder')).toEqual([...folders, 'activities/', 'workflows/'].sort());
});

test('the tables are those of the schema, but for its own version', () => {
  const made = Array.from(schemaSql().matchAll(/^create table (thaw\.\w+)/gm), ([, name = '']) => name);
  expect(told('table')).toEqual(made.filter((name) => name !== 'thaw.schema_version').sort());
});

test('the README lists every command, and links every document', () => {
  const readme = readDocument('README.md');
  const [list = ''] = /lists the commands: .*/.exec(readme) ?? [];
  const commands = idleProgram().commands.map((command) => command.name());
  expect(commands.filter((name) => !list.includes(`\`${name}\``))).toEqual([]);
  const documents = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'));
  expect(documents.filter((name) => !readme.includes(`(docs/${name})`))).toEqual([]);
});

test('links between documents lead somewhere', () => {
  const documents = readdirSync(path.join(root, 'docs')).map((name) => `docs/${name}`);
  for (const file of ['README.md', 'CHANGELOG.md', ...documents.filter((name) => name.endsWith('.md'))]) {
    const links = Array.from(
      readDocument(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g),
      ([, link = '']) => link,
    );
    const broken = links.filter((link) => !existsSync(path.join(root, path.dirname(file), link)));
    expect(broken, file).toEqual([]);
  }
});
