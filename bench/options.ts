import { parseArgs } from 'node:util';
import { type SetName, sets } from './generate.ts';

/** What to measure. */
export interface BenchOptions {
  readonly set: SetName | 'snapshots';
  /** Measured rounds; one more before them warms everything up. */
  readonly rounds: number;
  /** `--lanes` of the restores; each is a contestant of its own. */
  readonly lanes: readonly number[];
  /** A folder of objects by their keys, to restore instead of the generated ones; they hold the rows of the set. */
  readonly objects: string | null;
  /** A folder for a CPU profile of each measured `thaw restore`. */
  readonly profile: string | null;
  /** Where the servers keep their data; generated sets are kept there for the next time. */
  readonly folder: string;
}

/** What to measure of archives. */
export type ArchiveBenchOptions = BenchOptions & { readonly set: SetName };

/** What `--help` prints. */
export const usage = `npm run bench -- [options]

Measures restoring archives against psql \\copy of the same rows from a ready CSV, or taking and restoring a
snapshot of 20 tables against pg_dump and pg_restore.

  --set scale|big|snapshots
                     1,035 archives of 1,000 rows, or 100 of 10,000, or a snapshot of a million rows (default: scale)
  --rounds N         measured rounds (default: 5; of snapshots without one to warm up)
  --lanes N[,N…]     concurrent loads of the restores (default: 4)
  --objects DIR      restore this tree of objects; it holds the rows of the set
  --profile DIR      write a CPU profile of each measured thaw restore, and print where the time went
  --folder DIR       data of the servers and generated sets (default: .thaw/bench)
`;

/**
 * Reads the arguments; null when help is asked for.
 *
 * @throws TypeError or RangeError for what it does not understand
 */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      set: { ...text, default: 'scale' },
      rounds: { ...text, default: '5' },
      lanes: { ...text, default: '4' },
      objects: text,
      profile: text,
      folder: { ...text, default: '.thaw/bench' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  return {
    set: setName(values.set),
    rounds: positive('--rounds', values.rounds),
    lanes: values.lanes.split(',').map((lanes) => positive('--lanes', lanes)),
    objects: values.objects ?? null,
    profile: values.profile ?? null,
    folder: values.folder,
  };
}

function setName(value: string): BenchOptions['set'] {
  const names = [...(Object.keys(sets) as SetName[]), 'snapshots' as const];
  const found = names.find((name) => name === value);
  if (found === undefined) throw new RangeError(`--set must be one of ${names.join(', ')}`);
  return found;
}

function positive(flag: string, value: string): number {
  if (!/^[1-9]\d*$/.test(value)) throw new RangeError(`${flag} must be a whole number above 0, not ${value}`);
  return Number(value);
}
