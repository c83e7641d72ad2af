import type { CopyText } from './copy-text.ts';

/**
 * Appends the JSON value at `at` to `out` as COPY text of one type, and gives the index behind it.
 * Throws `Malformed` where there is no JSON value and `BadValue` where the type does not have it.
 */
export type Encoder = (out: CopyText, json: Buffer, at: number) => number;

/** The value as it stands: what text, numbers, booleans, times and most other types need. */
export const encodeScalar: Encoder = (out, json, at) => out.scalar(json, at);
