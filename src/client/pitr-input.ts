import path from 'node:path';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { PitrRequest, RecoveryTarget } from '../contract/pitr.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { placesFingerprint } from '../dump/pitr/place.ts';

/** A recovery as somebody asks for it. */
export type PitrInput = Omit<PitrRequest, 'restoreId' | 'fingerprint' | 'heartbeatSeconds'>;

/**
 * The request that asks for it; paths are made absolute.
 *
 * @throws ThawError `InputInvalid` where target and exclusive do not go together; `ConfigInvalid` for a bucket where no
 * object store is configured
 */
export function toPitrRequest(
  input: PitrInput,
  config: ThawConfig,
  restoreId: string,
  heartbeatSeconds: number,
): PitrRequest {
  const { target, isExclusive } = input;
  if (isExclusive && (target.kind === 'latest' || target.kind === 'name')) {
    throw new ThawError('InputInvalid', '--exclusive: belongs to a time, an LSN or a transaction', {
      object: '--exclusive',
      hint: 'Leave it out.',
    });
  }
  const [base, wal] = [located(input.base), located(input.wal)];
  return {
    ...{ ...input, restoreId, base, wal, into: path.resolve(input.into), heartbeatSeconds },
    fingerprint: placesFingerprint([base, wal], config),
  };
}

const time = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,6})\d*)?\s?(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Reads the time of a target, to the microsecond; what has no zone is local time.
 *
 * @returns null for what is none
 */
export function targetTime(text: string): RecoveryTarget | null {
  const [, day, clock, second = ':00', fraction = '', zone = ''] = time.exec(text) ?? [];
  if (day === undefined) return null;
  const offset = /^[+-]/.test(zone)
    ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`
    : zone && 'Z';
  const at = new Date(`${day}T${clock}${second}${offset}`);
  // 30 February would be taken for the first days of March.
  const isDay = new Date(`${day}T00:00Z`).getUTCDate() === Number(day.slice(8));
  if (!isDay || Number.isNaN(at.getTime())) return null;
  return { kind: 'time', time: `${at.toISOString().slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z` };
}

function located(text: string): string {
  return text.startsWith('s3://') ? text : path.resolve(text);
}
