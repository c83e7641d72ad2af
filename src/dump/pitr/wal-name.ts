/** A segment of WAL by its name: `000000010000000A000000FF`. */
export interface WalName {
  readonly timeline: number;
  /** The two numbers behind the timeline, read as one. */
  readonly log: number;
  readonly segment: number;
}

const hexName = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;

/** Reads the name of a segment; null for what is none. */
export function parseWalName(name: string): WalName | null {
  const [, timeline, log, segment] = hexName.exec(name) ?? [];
  if (timeline === undefined || log === undefined || segment === undefined) return null;
  return {
    timeline: Number.parseInt(timeline, 16),
    log: Number.parseInt(log, 16),
    segment: Number.parseInt(segment, 16),
  };
}

/**
 * The number of a segment, counted from the beginning of the cluster.
 *
 * @param segmentBytes size of a segment, a power of two from 1 MB to 1 GB
 */
export function segmentNumber({ log, segment }: WalName, segmentBytes: number): number {
  return log * (2 ** 32 / segmentBytes) + segment;
}

/** The number of the segment that a position lies in. */
export function segmentOf(lsn: bigint, segmentBytes: number): number {
  return Number(lsn / BigInt(segmentBytes));
}

/** The name of a segment, given its number. */
export function walName(timeline: number, number: number, segmentBytes: number): string {
  const perLog = 2 ** 32 / segmentBytes;
  return [timeline, Math.floor(number / perLog), number % perLog].map(hex8).join('');
}

/** A position in WAL as PostgreSQL writes it, `1A/2B3C4D`; null for what is none. */
export function parseLsn(text: string): bigint | null {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) return null;
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** The other way round. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/** The later of two positions. */
export function later(one: bigint, other: bigint): bigint {
  if (one > other) return one;
  return other;
}

function hex8(number: number): string {
  return number.toString(16).toUpperCase().padStart(8, '0');
}
