import type { DumpCheck } from '../../contract/dump-activities.ts';
import { type DatabaseObject, listedKinds } from '../../postgres/dump-objects.ts';
import { formatCount } from '../../restore/format.ts';
import { someNames } from './some-names.ts';

/** What rows and values the dump holds, which other checks look at, and what follows from another entry. */
const elsewhere = new Set([
  ...['TABLE DATA', 'SEQUENCE SET', 'MATERIALIZED VIEW DATA', 'BLOBS', 'SHELL TYPE', 'ENCODING'],
  ...['STDSTRINGS', 'SEARCHPATH', 'DATABASE', 'STATISTICS DATA'],
]);

/**
 * Compares the objects of a database with the contents of its dump, by kind, schema and name. What the database
 * has besides is its own affair.
 *
 * @param toc contents of the dump as far as they were restored; null: it has no list
 */
export function compareObjects(
  toc: readonly DatabaseObject[] | null,
  objects: readonly DatabaseObject[],
): DumpCheck {
  const name = 'objects';
  if (toc === null)
    return {
      name,
      outcome: 'skipped',
      detail: 'The dump has no list of its objects.',
    };
  const there = counted(objects);
  const compared = toc.filter(({ kind }) => listedKinds.has(kind));
  const missing = compared.filter((entry) => !take(there, objectKey(entry)));
  const untold = new Set(
    toc.map(({ kind }) => kind).filter((kind) => !listedKinds.has(kind) && !elsewhere.has(kind)),
  );
  const notLooked = untold.size === 0 ? '' : ` Not looked for: ${[...untold].sort().join(', ')}.`;
  if (missing.length === 0) {
    return {
      name,
      outcome: 'passed',
      detail: `None of ${formatCount(compared.length)} is missing.${notLooked}`,
    };
  }
  const said = someNames(missing.map(objectText));
  return {
    name,
    outcome: 'failed',
    detail: `${formatCount(missing.length)} of ${formatCount(compared.length)} are not there: ${said}.${notLooked}`,
  };
}

/**
 * One string for an object. Schema and name are joined as the list of the dump joins them, since names with spaces
 * cannot be told apart there; and it has no line breaks.
 */
export function objectKey({ kind, schema, name }: DatabaseObject): string {
  return `${kind} ${schema ?? '-'} ${name}`.replaceAll(/[\r\n]/g, ' ');
}

/** Several operators and the like share a name. */
function counted(objects: readonly DatabaseObject[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const object of objects) {
    const key = objectKey(object);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function take(counts: Map<string, number>, key: string): boolean {
  const left = counts.get(key) ?? 0;
  counts.set(key, left - 1);
  return left > 0;
}

function objectText({ kind, schema, name }: DatabaseObject): string {
  return `${kind.toLowerCase()} ${schema === null ? '' : `${schema}.`}${name}`;
}
