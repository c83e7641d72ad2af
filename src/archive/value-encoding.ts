/**
 * How a source writes values into JSON: as the archiver does it with what its driver asyncpg gives, as
 * PostgreSQL's `to_jsonb` does it, or as strings that hold PostgreSQL's own text.
 */
export type ValueEncoding = 'asyncpg' | 'to_jsonb' | 'pg-text';
