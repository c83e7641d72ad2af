import type { DatabaseFacts, DumpProof } from '../contract/dump-activities.ts';
import type { DumpPart, DumpRequest } from '../contract/dump-request.ts';
import { formatBytes, formatCounted } from './format.ts';

/** What a restore of a dump would go by. */
export interface DryRunFacts {
  readonly request: DumpRequest;
  readonly proof: DumpProof;
  /** Null where the database is not there. */
  readonly before: DatabaseFacts | null;
  /** How many are in it. */
  readonly sessions: number;
  readonly oneTransaction: boolean;
  /** Sessions of pg_restore. */
  readonly jobs: number;
  /** Version of psql and pg_restore. */
  readonly version: string;
  /** The folder that the dump is written to first; null: it goes straight into the program. */
  readonly spool: string | null;
}

/** What a restore of a dump would do, a line each, in its order. */
export function wouldDoLines(facts: DryRunFacts): string[] {
  const { request, before, proof } = facts;
  const { mode, database, server, checks, checkUrls } = request;
  const where = `${database} on ${server}`;
  const asked = [
    ...(checks.length === 0 ? [] : [`ask ${formatCounted(checks.length, 'statement')}`]),
    ...(checkUrls.length === 0 ? [] : [`call ${formatCounted(checkUrls.length, 'URL')}`]),
  ];
  const verify = [`compare objects and rows with the dump`, ...asked].join(', ');
  if (proof.format === 'cluster') return [`${loadText(facts)} into the whole server ${server}`, verify];
  if (mode === 'into-existing') {
    const make = before === null ? [`make the database ${where}`] : [];
    return [...make, `${loadText(facts)} into ${where}${howText(facts)}`, verify];
  }
  const beside = `${loadText(facts)} into a new database beside ${where}${howText(facts)}`;
  if (before === null) return [beside, verify, `name it ${database}`];
  const old = `${database} (${factsText(before)})`;
  const ends = `end ${formatCounted(facts.sessions, 'session')} there`;
  const carry = `give it the owner, privileges and settings of ${database}`;
  if (mode === 'recreate') {
    return [`drop ${old}, and ${ends}`, `${beside}, which is gone by then`, verify, `name it ${database}`];
  }
  return [beside, verify, `${carry}, and its name; ${ends}`, `${keepText(request)} ${old}`];
}

function loadText({ proof, request, version }: DryRunFacts): string {
  const { dump, format, compression, rows, tables, checksum } = proof;
  const what = compression === 'none' ? format : `${format}, ${compression}`;
  const counted = rows === null ? 'rows not counted' : formatCounted(rows, 'row');
  const proved = checksum === null ? ', not proved by a checksum' : '';
  const size = `${formatBytes(dump.bytes)}, ${counted} in ${formatCounted(tables, 'table')}${proved}`;
  const program = format === 'plain' || format === 'cluster' ? 'psql' : 'pg_restore';
  return `load ${partText(request.part)}${dump.key} (${what}, ${size}) by ${program} ${version}`;
}

function howText({ spool, jobs, oneTransaction }: DryRunFacts): string {
  return [
    ...(spool === null ? [] : [`, by way of a file in ${spool}`]),
    ...(jobs > 1 ? [`, in ${jobs} sessions`] : []),
    ...(oneTransaction ? [', in one transaction'] : []),
  ].join('');
}

function partText({ tables, schemas, sections, dataOnly, schemaOnly, clean }: DumpPart): string {
  const parts = [
    ...(clean ? ['what is there before it dropped'] : []),
    ...(tables.length > 0 ? [`tables ${tables.join(', ')}`] : []),
    ...(schemas.length > 0 ? [`schemas ${schemas.join(', ')}`] : []),
    ...(sections.length > 0 ? [`sections ${sections.join(', ')}`] : []),
    ...(dataOnly ? ['rows alone'] : []),
    ...(schemaOnly ? ['no rows'] : []),
  ];
  return parts.length === 0 ? '' : `a part (${parts.join('; ')}) of `;
}

function keepText({ keepOldSeconds }: DumpRequest): string {
  if (keepOldSeconds === 0) return 'drop the old';
  const hours = keepOldSeconds / 3600;
  return `keep for ${hours >= 1 ? `${Math.round(hours * 10) / 10} h` : `${Math.round(keepOldSeconds / 60)} min`} the old`;
}

function factsText({ serverVersion, bytes, rows, tables }: DatabaseFacts): string {
  return `PostgreSQL ${serverVersion}, ${formatBytes(bytes)}, ${formatCounted(rows, 'row')} in ${formatCounted(tables, 'table')}`;
}
