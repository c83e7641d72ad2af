import type { ServiceConfig } from '../config/thaw-config.ts';
import { knownDumps } from '../dump/choose/known-dumps.ts';
import { beginningsOf, type ListedDump } from '../dump/choose/list-dumps.ts';
import { databasesBeside } from '../dump/swap/databases-beside.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import { describeFrozen, frozenObjects } from '../store/storage-class.ts';
import { besideJson, besideLines } from './beside-lines.ts';
import { dumpJson, dumpsLines } from './dumps-lines.ts';
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
  const { place, listing, dumps, known, unmarked, notices } = await knownDumps(
    service,
    { before, offset: 0, limit },
    env,
  );
  for (const notice of notices) printer.aside(`Note: ${notice}`);
  if (unmarked !== null) printer.aside(`Note: which of them were verified is not known: ${unmarked.message}`);
  const { name: database } = service.connection;
  // The list is good without the server, and what it could not say was told.
  const beside = await databasesBeside(service, database, env).catch(() => null);
  const now = Date.now();
  if (json) {
    const what = { service: service.name, database, store: place };
    const rest = { total: dumps.length, dumps: known.map((dump) => dumpJson(dump, now)) };
    printer.line(JSON.stringify({ ...what, ...rest, beside: beside === null ? null : besideJson(beside) }));
    return exitCodes.done;
  }
  for (const line of dumpsLines(known, now)) printer.line(line);
  printer.line(sumText(service, place, dumps, known.length));
  if (listing.dumps.length === 0) printer.line(namesText(service, listing.otherCount));
  for (const line of describeFrozen(frozenObjects(dumps))) printer.line(line);
  for (const line of beside === null ? [] : besideLines(service.name, beside, now)) printer.line(line);
  return exitCodes.done;
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
