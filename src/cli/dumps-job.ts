import type { ServiceConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { openDumpStore } from '../dump/choose/dump-store.ts';
import {
  beginningsOf,
  dumpTime,
  type ListedDump,
  listDumps,
  unreadableNotices,
} from '../dump/choose/list-dumps.ts';
import { lookInto } from '../dump/choose/look-into.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { type DumpMark, readMarks } from '../postgres/dump-proofs.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import { describeFrozen, frozenObjects } from '../store/storage-class.ts';
import { dumpJson, dumpsLines, type KnownDump } from './dumps-lines.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';

/** What is asked of the dumps of a service. */
export interface DumpsJob {
  readonly service: ServiceConfig;
  /** Null: all. */
  readonly limit: number | null;
  /** ISO 8601; null: any time. */
  readonly before: string | null;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/** Prints the dumps of a service, the newest first. */
export async function printDumps(job: DumpsJob): Promise<ExitCode> {
  const { service, limit, before, json, env, printer } = job;
  const store = await openDumpStore(service, { kind: 'latest', before }, env);
  try {
    const listing = await listDumps(store, service);
    for (const notice of unreadableNotices(store, listing)) printer.aside(`Note: ${notice}`);
    const dumps =
      before === null ? listing.dumps : listing.dumps.filter((dump) => dumpTime(dump) <= Date.parse(before));
    const shown = dumps.slice(0, limit ?? dumps.length);
    const [heads, marks] = await Promise.all([lookInto(store, shown), marksOf(job, store.name, shown)]);
    const known = shown.flatMap((dump, place): KnownDump[] => {
      const head = heads[place];
      const { provedAt = null, fault = null, verifiedAt = null, serverVersion = null } = marks[place] ?? {};
      if (head === undefined) return [];
      const known = { serverVersion: head.serverVersion ?? serverVersion, provedAt, fault, verifiedAt };
      return [{ ...dump, ...head, ...known }];
    });
    const now = Date.now();
    if (json) {
      const what = { service: service.name, database: service.connection.name, store: store.name };
      const rest = { total: dumps.length, dumps: known.map((dump) => dumpJson(dump, now)) };
      printer.line(JSON.stringify({ ...what, ...rest }));
      return exitCodes.done;
    }
    for (const line of dumpsLines(known, now)) printer.line(line);
    printer.line(sumText(service, store.name, dumps, shown.length));
    if (listing.dumps.length === 0) printer.line(namesText(service, listing.otherCount));
    for (const line of describeFrozen(frozenObjects(dumps))) printer.line(line);
    return exitCodes.done;
  } finally {
    store.close();
  }
}

/** What was proved and restored before; a listing is good without. */
async function marksOf(
  { service, env, printer }: DumpsJob,
  place: string,
  dumps: readonly ListedDump[],
): Promise<DumpMark[]> {
  if (dumps.length === 0) return [];
  const maintenance = { ...service.connection, name: service.maintenance };
  try {
    return await withDatabase(maintenance, env, { applicationName: 'thaw dumps' }, (client) =>
      readMarks(client, place, dumps),
    );
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    printer.aside(`Note: which of them were verified is not known: ${error.message}`);
    return [];
  }
}

function sumText(service: ServiceConfig, place: string, dumps: readonly ListedDump[], shown: number): string {
  const prefix = service.dumps?.prefix ?? '';
  const where = prefix === '' ? place : `${place}/${prefix}`;
  if (dumps.length === 0) return `No dumps of ${service.name} in ${where}`;
  const bytes = dumps.reduce((sum, dump) => sum + dump.bytes, 0);
  const more = shown < dumps.length ? `; ${formatCount(shown)} shown (--limit)` : '';
  const count = dumps.length === 1 ? '1 dump' : `${formatCount(dumps.length)} dumps`;
  return `${count} of ${service.name} in ${where}, ${formatBytes(bytes)}${more}`;
}

function namesText(service: ServiceConfig, others: number): string {
  const names = beginningsOf(service).join(' or ');
  const there = others === 1 ? '1 other object lies' : `${formatCount(others)} other objects lie`;
  return `Names begin with ${names}, then - or _ and a time; ${there} there.`;
}
