import { InvalidArgumentError } from 'commander';

/** `2026-01-04`, `2026-01-04T05:20:21Z`, `20260104_052021`. */
const time = /^(\d{4})-?(\d\d)-?(\d\d)(?:[T_ ](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** Reads `--before`: a day alone is included, and what has no zone is local time. @returns ISO 8601 */
export function beforeTime(text: string): string {
  const [, year, month, day, hour, minute, second = '00', zone = ''] = time.exec(text) ?? [];
  const clock = hour === undefined ? '23:59:59.999' : `${hour}:${minute}:${second}`;
  const at = new Date(`${year}-${month}-${day}T${clock}${zone}`);
  // 30 February would be taken for the first days of March.
  const isDay = new Date(`${year}-${month}-${day}T00:00Z`).getUTCDate() === Number(day);
  if (isDay && !Number.isNaN(at.getTime())) return at.toISOString();
  throw new InvalidArgumentError('It must be a time such as 2026-01-04T05:20:21Z, or a day.');
}
