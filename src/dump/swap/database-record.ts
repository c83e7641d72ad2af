import { z } from 'zod';

const shared = {
  /** The restore that wrote it. */
  restore: z.string(),
  /** Name of the live database that it belongs to. */
  live: z.string(),
  /** Oids of the databases that are closed to sessions for a swap under way, and to be opened should it break off. */
  closed: z.array(z.number()),
};

const stateSchema = z.strictObject({
  owner: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  provider: z.enum(['b', 'i', 'c']).nullable(),
  locale: z.string().nullable(),
  icuRules: z.string().nullable(),
  tablespace: z.string().nullable(),
  connectionLimit: z.number(),
  comment: z.string().nullable(),
  /** The text of an `aclitem[]`. */
  acl: z.string(),
  settings: z.array(z.strictObject({ role: z.string().nullable(), name: z.string(), value: z.string() })),
});

/** What a database has that is not in it: it goes over to the database that takes its place. */
export type DatabaseState = z.infer<typeof stateSchema>;

const recordSchema = z.discriminatedUnion('thaw', [
  /** A database that is being loaded. */
  z.strictObject({
    thaw: z.literal('new'),
    ...shared,
    /** The live database when it was begun, which may be dropped before it is replaced; null: there was none. */
    state: stateSchema.nullable(),
  }),
  /** A database that was replaced. */
  z.strictObject({
    thaw: z.literal('old'),
    ...shared,
    /** What the database that replaced it was called before. */
    replacedBy: z.string(),
    /** When it was replaced, ISO 8601. */
    replacedAt: z.string(),
    /** When it may be dropped, ISO 8601. */
    dropAt: z.string(),
    /** The comment that it had. */
    comment: z.string().nullable(),
  }),
]);

/** What the comment of a database says that Thaw made or keeps: the record by which it is found again. */
export type DatabaseRecord = z.infer<typeof recordSchema>;
export type NewRecord = Extract<DatabaseRecord, { thaw: 'new' }>;
export type OldRecord = Extract<DatabaseRecord, { thaw: 'old' }>;

/** Reads the record from a comment; null where it is anybody else's comment. */
export function parseRecord(comment: string | null): DatabaseRecord | null {
  if (comment === null) return null;
  try {
    return recordSchema.safeParse(JSON.parse(comment)).data ?? null;
  } catch {
    return null;
  }
}

/** The comment that says so. */
export function formatRecord(record: DatabaseRecord): string {
  return JSON.stringify(record);
}
