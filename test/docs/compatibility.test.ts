import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  destroyedTypes,
  saturatedTypes,
  scalarRules,
  unwritableTypes,
} from '../../src/archive/encoder-table.ts';
import { scalars } from '../archive/archived-values.ts';
import { codeIn, readDocument, tableRows } from './markdown.ts';

const document = readDocument('docs/compatibility.md');
const rows = tableRows(document, 'type');
const root = path.join(import.meta.dirname, '../..');
const tests = new Map(
  Array.from(
    document.matchAll(/^- \*\*(\w+)\*\*: `([^`]+)`, "([^"]+)"/gm),
    ([, label = '', file = '', name = '']) => [label, { file, name }],
  ),
);

/** What a row is shown by: `zoo: c_int, c_oid; values: bigint` are three. */
function proofsOf(cell: string): { label: string; what: string }[] {
  return cell.split('; ').flatMap((part) => {
    const [label = '', all = ''] = part.split(': ');
    return all.split(', ').map((what) => ({ label, what }));
  });
}

function source(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** Tells whether a test has what a row names: a column of its table, a type among its values. */
function has(label: string, what: string): boolean {
  const escaped = what.replaceAll(/[.()]/g, '\\$&');
  switch (label) {
    case 'zoo':
    case 'lossy':
      return new RegExp(`^ {2}${escaped} `, 'm').test(source('test/fixtures/type-zoo/schema.sql'));
    case 'exotic':
      return new RegExp(`^ {2}${escaped} `, 'm').test(source('test/archive/exotic/schema.sql'));
    case 'values':
      return what in scalars || source(tests.get(label)?.file ?? '').includes(`  ['${what}', `);
    default:
      return source(tests.get(label)?.file ?? '').includes(`'${what}'`);
  }
}

describe('the table of types', () => {
  it.each([...tests])('names a test that is there: %s', (_, { file, name }) => {
    expect(source(file)).toMatch(
      new RegExp(`test(?:\\.(?:each|for))?\\([^]*'${name.replaceAll('.', '\\.')}'`),
    );
  });

  it.each(rows)('shows %s by values that its tests have', (...cells) => {
    expect(cells).toHaveLength(5);
    const proofs = proofsOf(cells[4] ?? '');
    expect(proofs.length).toBeGreaterThan(0);
    for (const { label, what } of proofs) {
      expect(tests.has(label), `a test called ${label}`).toBe(true);
      expect(has(label, what), `${label} has ${what}`).toBe(true);
    }
  });

  it('lacks no type that has an encoder of its own', () => {
    const told = new Set(rows.flatMap(([type = '']) => codeIn(type)));
    const encoded = [
      ...scalarRules.keys(),
      ...saturatedTypes.keys(),
      ...destroyedTypes,
      ...unwritableTypes,
    ].map((name) => (name === 'char' ? '"char"' : name));
    expect(encoded.filter((name) => !told.has(name))).toEqual([]);
  });

  it('lacks no kind of type', () => {
    const kinds = rows.map(([type = '']) => type);
    expect(kinds).toEqual(
      expect.arrayContaining([
        'arrays',
        'enums',
        'domains',
        'ranges',
        'multiranges',
        'composites',
        'any other',
      ]),
    );
  });

  it('lacks no column of the table of all types', () => {
    const [, columns = ''] = /CREATE TABLE public\.type_zoo \((.*?)\n\);/s.exec(
      source('test/fixtures/type-zoo/schema.sql'),
    ) ?? [''];
    const types = Array.from(columns.matchAll(/^ {2}c_\w+ ("?\w+"?)/gm), ([, type = '']) => type);
    const told = rows.map(([type = '']) => type).join(' ');
    const otherNames: Readonly<Record<string, string>> = {
      double: 'double precision',
      float8: 'double precision',
      char: 'char(n)',
    };
    const composed = /range$|^(mood|posint|shortcode|addr)$/;
    expect(
      types.filter((type) => !composed.test(type) && !told.includes(`\`${otherNames[type] ?? type}\``)),
    ).toEqual([]);
  });
});
