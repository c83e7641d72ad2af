import { z } from '@hono/zod-openapi';
import {
  type DatabaseFacts,
  type DumpProof,
  type DumpReport,
  dumpSteps,
} from '../contract/dump-activities.ts';
import { dumpCompressions, dumpFormats, dumpModes } from '../contract/dump-request.ts';
import type { RunDump } from './run.ts';

const count = z.int().min(0);
const names = z.array(z.string());

const facts = z.object({
  database: z.string(),
  server_version: z.string(),
  bytes: count,
  tables: count,
  rows: count,
  estimated: count.openapi({ description: 'Tables whose rows were not counted.' }),
});

const proof = z.object({
  key: z.string(),
  format: z.enum(dumpFormats),
  compression: z.enum(dumpCompressions),
  server_version: z.string().nullable(),
  dump_version: z.string().nullable(),
  checksum: z
    .string()
    .nullable()
    .openapi({ description: 'What proves that no byte was changed; null: nothing does.' }),
  database: z.string().nullable(),
  tables: count,
  rows: count.nullable(),
  bytes: count.openapi({ description: 'Decompressed bytes.' }),
  extensions: names,
  roles: names,
});

/** What was verified. */
export const dumpReportJson = z.object({
  outcome: z.enum(['verified', 'failed', 'inconclusive']),
  checks: z.array(
    z.object({
      name: z.string(),
      outcome: z.enum(['passed', 'failed', 'skipped', 'warning']),
      detail: z.string(),
    }),
  ),
  tables: z
    .array(
      z.object({
        table: z.string(),
        before: count.nullable(),
        before_is_estimate: z.boolean(),
        dump: count.nullable(),
        after: count.nullable(),
      }),
    )
    .openapi({ description: 'Rows of at most 200 tables, those that differ first.' }),
  before: facts.nullable(),
  after: facts,
});

/** What `GET /api/runs/{runId}` tells of a restore of a dump. */
export const runDumpJson = z
  .object({
    service: z.string(),
    mode: z.enum(dumpModes),
    step: z.enum(dumpSteps).nullable().openapi({ description: 'Null of one that has ended.' }),
    key: z.string().nullable().openapi({ description: 'The dump, once it is chosen.' }),
    passed_over: z
      .array(z.object({ key: z.string(), reason: z.string() }))
      .openapi({ description: 'Dumps that were not good.' }),
    proof: proof.nullable(),
    report: dumpReportJson.nullable(),
    old: z.object({ name: z.string(), drop_at: z.iso.datetime() }).nullable().openapi({
      description: 'The database that was live before, and when it is dropped.',
    }),
    left_behind: names,
    notices: names,
    would_do: names.nullable().openapi({ description: 'Of a dry run: what would be done.' }),
  })
  .openapi('RunDump');

/** Writes what a restore of a dump tells as JSON. */
export function toRunDumpJson(dump: RunDump): z.output<typeof runDumpJson> {
  const { service, mode, step, key, passedOver, old, leftBehind, notices } = dump;
  return {
    ...{ service, mode, step, key },
    passed_over: [...passedOver],
    proof: dump.proof === null ? null : proofJson(dump.proof),
    report: dump.report === null ? null : toDumpReportJson(dump.report),
    old: old === null ? null : { name: old.name, drop_at: old.dropAt },
    left_behind: [...leftBehind],
    notices: [...notices],
    would_do: dump.wouldDo === null ? null : [...dump.wouldDo],
  };
}

function proofJson(found: DumpProof): z.output<typeof proof> {
  const { dump, format, compression, database, tables, rows, bytes, extensions, roles } = found;
  return {
    ...{ key: dump.key, format, compression, database, tables, rows, bytes },
    server_version: found.serverVersion,
    dump_version: found.dumpVersion,
    checksum: found.checksum ?? null,
    extensions: [...extensions],
    roles: [...roles],
  };
}

/** Writes it as JSON. */
export function toDumpReportJson({
  outcome,
  checks,
  tables,
  before,
  after,
}: DumpReport): z.output<typeof dumpReportJson> {
  return {
    outcome,
    checks: [...checks],
    tables: tables.map(({ beforeIsEstimate, ...rows }) => ({
      ...rows,
      before_is_estimate: beforeIsEstimate,
    })),
    before: before === null ? null : factsJson(before),
    after: factsJson(after),
  };
}

function factsJson({ database, serverVersion, bytes, tables, rows, estimated }: DatabaseFacts) {
  return { database, server_version: serverVersion, bytes, tables, rows, estimated };
}
