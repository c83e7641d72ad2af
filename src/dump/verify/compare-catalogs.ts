import type { DumpCheck } from '../../contract/dump-activities.ts';
import type { CatalogFlaw } from '../../postgres/database-survey.ts';
import type { DatabaseObject } from '../../postgres/dump-objects.ts';
import { formatCount } from '../../restore/format.ts';
import { quoted, tableName } from '../format/table-name.ts';
import { objectKey } from './compare-objects.ts';
import { someNames } from './some-names.ts';
import type { DatabaseSurvey } from './survey.ts';

/** A restored database, and what is known of how it has to be. */
export interface Catalogs {
  /** Contents of the dump as far as they were restored; null: it has no list. */
  readonly toc: readonly DatabaseObject[] | null;
  readonly before: DatabaseSurvey | null;
  readonly after: DatabaseSurvey;
}

/** No dump holds an invalid index, but for those of partitioned tables that lack one of a partition. */
export function checkIndexes({ before, after }: Catalogs): DumpCheck {
  const name = 'indexes';
  const invalid = flawsOf(after, 'invalid index');
  if (invalid.length === 0) return { name, outcome: 'passed', detail: 'All are valid.' };
  const known = new Set(before === null ? [] : flawsOf(before, 'invalid index').map(flawText));
  const fresh = invalid.map(flawText).filter((text) => !known.has(text));
  return fresh.length > 0
    ? { name, outcome: 'failed', detail: `Not valid: ${someNames(fresh)}.` }
    : { name, outcome: 'warning', detail: `Not valid, as before: ${someNames(invalid.map(flawText))}.` };
}

/** A constraint is not validated after a restore only where the dump says NOT VALID. */
export function checkConstraints({ toc, before, after }: Catalogs): DumpCheck {
  const name = 'constraints';
  const unvalidated = flawsOf(after, 'unvalidated constraint');
  if (unvalidated.length === 0) return { name, outcome: 'passed', detail: 'All are validated.' };
  // A check that stands on its own in a dump, and not within its table, is one that is not validated.
  const inDump = new Set((toc ?? []).filter(({ kind }) => kind === 'CHECK CONSTRAINT').map(objectKey));
  const known = new Set(before === null ? [] : flawsOf(before, 'unvalidated constraint').map(flawText));
  const isKnown = (flaw: CatalogFlaw) =>
    known.has(flawText(flaw)) ||
    inDump.has(
      objectKey({ kind: 'CHECK CONSTRAINT', schema: flaw.schema, name: `${flaw.name} ${flaw.constraint}` }),
    );
  const fresh = unvalidated.filter((flaw) => !isKnown(flaw));
  return fresh.length > 0
    ? {
        name,
        outcome: 'warning',
        detail: `Not validated, so that rows may violate them: ${someNames(fresh.map(flawText))}.`,
      }
    : {
        name,
        outcome: 'passed',
        detail: `Not validated, as it was: ${someNames(unvalidated.map(flawText))}.`,
      };
}

/**
 * A sequence that is behind its column makes inserts fail. One that was ahead before must be so again; of any other
 * the dump holds the position, so that it came back as it was.
 */
export function checkSequences({ before, after }: Catalogs): DumpCheck {
  const name = 'sequences';
  const behind = after.sequences.filter(({ standing }) => standing === 'behind' || standing === 'collides');
  const unknown = after.sequences.filter(({ standing }) => standing === 'unknown').length;
  if (behind.length === 0) {
    return unknown > 0
      ? { name, outcome: 'skipped', detail: `${formatCount(unknown)} may not be read by the user.` }
      : {
          name,
          outcome: 'passed',
          detail: `None of ${formatCount(after.sequences.length)} is behind its column.`,
        };
  }
  const ahead = new Set(
    before?.sequences.flatMap((each) => (each.standing === 'ahead' ? [each.column] : [])),
  );
  const failed = behind.filter(({ column, standing }) => standing === 'collides' && ahead.has(column));
  const text = ({ sequence, column }: (typeof behind)[number]) => `${sequence} of ${column}`;
  return failed.length > 0
    ? {
        name,
        outcome: 'failed',
        detail: `Behind their columns, so that the next insert fails: ${someNames(failed.map(text))}.`,
      }
    : { name, outcome: 'warning', detail: `Behind their columns: ${someNames(behind.map(text))}.` };
}

/** Looks for views without their rows that have some in the dump. */
export function checkViews({ toc, before, after }: Catalogs): DumpCheck {
  const name = 'materialized views';
  const empty = flawsOf(after, 'unpopulated view');
  if (empty.length === 0) return { name, outcome: 'passed', detail: 'All are populated.' };
  const filled = new Set((toc ?? []).filter(({ kind }) => kind === 'MATERIALIZED VIEW DATA').map(objectKey));
  const failed = empty.filter(({ schema, name: view }) =>
    filled.has(objectKey({ kind: 'MATERIALIZED VIEW DATA', schema, name: view })),
  );
  if (failed.length > 0) {
    return { name, outcome: 'failed', detail: `Not populated: ${someNames(failed.map(flawText))}.` };
  }
  const known = new Set(before === null ? [] : flawsOf(before, 'unpopulated view').map(flawText));
  return toc !== null || empty.every((flaw) => known.has(flawText(flaw)))
    ? { name, outcome: 'passed', detail: `Not populated, as it was: ${someNames(empty.map(flawText))}.` }
    : { name, outcome: 'warning', detail: `Not populated: ${someNames(empty.map(flawText))}.` };
}

/** Extensions of the dump have to be there, and are told where their version is another than it was. */
export function checkExtensions(expected: readonly string[], { before, after }: Catalogs): DumpCheck {
  const name = 'extensions';
  const there = new Map(after.extensions.map((each) => [each.name, each.version]));
  const missing = expected.filter((each) => !there.has(each));
  if (missing.length > 0) return { name, outcome: 'failed', detail: `Not there: ${someNames(missing)}.` };
  const other = (before?.extensions ?? []).filter((each) => {
    const version = there.get(each.name);
    return version !== undefined && version !== each.version;
  });
  if (other.length === 0)
    return { name, outcome: 'passed', detail: `None of ${formatCount(expected.length)} is missing.` };
  const text = other.map((each) => `${each.name} ${there.get(each.name)} (before: ${each.version})`);
  return { name, outcome: 'warning', detail: `Other versions than before: ${someNames(text)}.` };
}

function flawsOf({ flaws }: DatabaseSurvey, kind: CatalogFlaw['kind']): readonly CatalogFlaw[] {
  return flaws.filter((flaw) => flaw.kind === kind);
}

function flawText({ schema, name, constraint }: CatalogFlaw): string {
  const table = tableName(schema, name);
  return constraint === null ? table : `${table} ${quoted(constraint)}`;
}
