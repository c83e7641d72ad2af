import type pg from 'pg';
import type { DumpProof } from '../contract/dump-activities.ts';
import { type DumpRef, wholeDump } from '../contract/dump-request.ts';
import type { ErrorCode } from '../contract/error-code.ts';
import type { DatabaseObject } from './dump-objects.ts';
import { isoTime, readKept, writeKept } from './kept.ts';

/** What was found in a dump that was read to its end. Grows with its tables: it never goes through Temporal. */
export interface KeptProof {
  readonly proof: DumpProof;
  /** `rows` is null where they could not be counted; `database` is told by what pg_dumpall writes. */
  readonly tables: readonly {
    readonly table: string;
    readonly rows: number | null;
    readonly database?: string | null;
  }[];
  /** Its list of contents; null: none is known. */
  readonly toc: readonly DatabaseObject[] | null;
}

/** What is known of a dump that was proved or restored before. */
export interface DumpMark {
  readonly key: string;
  readonly etag: string;
  /** When it was read to its end and found whole, ISO 8601; null: never, or not when it was last read. */
  readonly provedAt: string | null;
  /** Why it was not good when it was last read; null: it was, or it never was read. */
  readonly fault: ErrorCode | null;
  /** Version of the server that was dumped; null where that is not known. */
  readonly serverVersion: string | null;
  /** When it was last restored as a whole and found to be what it says, ISO 8601; null: never. */
  readonly verifiedAt: string | null;
}

const object = 'thaw.dump_proofs';

/** A restore of a part tells nothing of the rest. */
const { clean: _, ...whole } = wholeDump;

/**
 * Keeps what was found in a dump; what was found before is replaced.
 *
 * @param place name of its store
 */
export async function writeProof(
  client: pg.ClientBase,
  place: string,
  { proof, tables, toc }: KeptProof,
): Promise<void> {
  const { key, etag } = proof.dump;
  await writeKept(
    client,
    object,
    `insert into thaw.dump_proofs (place, key, etag, proof, tables, toc)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (place, key, etag) do update
     set proof = excluded.proof, tables = excluded.tables, toc = excluded.toc, fault = null, proved_at = now()`,
    [
      place,
      key,
      etag,
      JSON.stringify(proof),
      JSON.stringify(tables),
      toc === null ? null : JSON.stringify(toc),
    ],
  );
}

/**
 * Keeps that a dump was found not to be good; what was found before is replaced.
 *
 * @param place name of its store
 */
export async function writeFault(
  client: pg.ClientBase,
  place: string,
  { key, etag }: Pick<DumpRef, 'key' | 'etag'>,
  fault: ErrorCode,
): Promise<void> {
  await writeKept(
    client,
    object,
    `insert into thaw.dump_proofs (place, key, etag, fault) values ($1, $2, $3, $4)
     on conflict (place, key, etag) do update
     set proof = null, tables = null, toc = null, fault = excluded.fault, proved_at = now()`,
    [place, key, etag, fault],
  );
}

/** Reads what was found in a dump; null where it was never found whole, or nothing is kept in this database. */
export async function readProof(
  client: pg.ClientBase,
  place: string,
  { key, etag }: Pick<DumpRef, 'key' | 'etag'>,
): Promise<KeptProof | null> {
  const rows = await readKept<KeptProof>(
    client,
    object,
    'select proof, tables, toc from thaw.dump_proofs where place = $1 and key = $2 and etag = $3 and fault is null',
    [place, key, etag],
  );
  return rows[0] ?? null;
}

/** What is known of dumps, in their order; of none, where nothing is kept in this database. */
export function readMarks(
  client: pg.ClientBase,
  place: string,
  dumps: readonly Pick<DumpRef, 'key' | 'etag'>[],
): Promise<DumpMark[]> {
  return readKept<DumpMark>(
    client,
    object,
    `select d.key, d.etag, case when p.fault is null then ${isoTime('p.proved_at')} end as "provedAt", p.fault,
       p.proof ->> 'serverVersion' as "serverVersion",
       ${isoTime('r.verified_at')} as "verifiedAt"
     from unnest($2::text[], $3::text[]) with ordinality as d (key, etag, place)
     left join thaw.dump_proofs p on p.place = $1 and p.key = d.key and p.etag = d.etag
     left join lateral (
       select max(ended_at) as verified_at from thaw.dump_restores r
       where r.key = d.key and r.etag = d.etag and r.outcome -> 'report' ->> 'outcome' = 'verified'
         and (r.request -> 'part') - 'clean' = $4::jsonb
     ) r on true
     order by d.place`,
    [place, dumps.map(({ key }) => key), dumps.map(({ etag }) => etag), JSON.stringify(whole)],
  );
}
