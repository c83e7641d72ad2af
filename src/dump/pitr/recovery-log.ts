import { open } from 'node:fs/promises';
import { ThawError } from '../../contract/thaw-error.ts';

/** What the log of a server tells of its recovery. */
export interface RecoveryLog {
  /** Why it stopped where it did: `before commit of transaction 741, time …`; null where it went on to the end. */
  readonly stoppedAt: string | null;
  /** ISO 8601, of the last transaction that was replayed. */
  readonly lastCommitAt: string | null;
  /** Why the server ended, since it was started last. */
  readonly fatal: string | null;
  /** The last segment that `restore_command` gave. */
  readonly lastSegment: string | null;
}

/** Bytes at the end of a log that are read: the last lines tell how recovery ended. */
const tail = 256 * 1024;

const start = /\bstarting PostgreSQL \d+/g;

/** Reads the log that the settings of {@link writeSettings} make: in English, times in UTC. */
export async function readRecoveryLog(file: string): Promise<RecoveryLog> {
  const text = await readTail(file);
  const since = text.slice([...text.matchAll(start)].at(-1)?.index ?? 0);
  const commit = lastMatch(
    text,
    /last completed transaction was at log time (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00/g,
  );
  return {
    stoppedAt: lastMatch(text, /recovery stopping (.+)/g)?.[1] ?? null,
    lastCommitAt: commit === null ? null : `${commit[1]}T${commit[2]}Z`,
    fatal: fatalIn(since),
    lastSegment: lastMatch(text, /restored log file "([0-9A-F]{24})" from archive/g)?.[1] ?? null,
  };
}

/** What is wrong with settings is told before the end that it leads to. */
function fatalIn(text: string): string | null {
  const fatal = /(?:FATAL|PANIC): {2}(.+)/.exec(text);
  if (fatal === null) return null;
  const [, said = ''] = fatal;
  if (!said.endsWith('contains errors')) return said;
  return lastMatch(text.slice(0, fatal.index), /LOG: {2}(.+)/g)?.[1] ?? said;
}

/** What it means that a server has ended while it recovered. */
export function recoveryFailure(
  { fatal, lastCommitAt, lastSegment }: RecoveryLog,
  missing: string | null,
): ThawError {
  const said = fatal ?? 'it told no reason';
  const upTo = lastCommitAt === null ? '' : ` The last transaction that was replayed is of ${lastCommitAt}.`;
  if (/recovery ended before configured recovery target was reached/.test(said)) {
    const gap = missing === null ? '' : ` ${missing} is missing.`;
    return new ThawError(
      'ArchiveNotFound',
      `Recovery ended before the target was reached: the WAL does not go so far.${gap}${upTo}`,
      {
        object: missing ?? lastSegment ?? undefined,
        hint: 'Wait until more WAL is archived (select pg_switch_wal()), name an earlier target, or leave the target out for all that is there.',
      },
    );
  }
  if (/before consistent recovery point|WAL ends before/.test(said)) {
    return new ThawError(
      'InputInvalid',
      `The target lies before the end of the base backup (${said}).${upTo}`,
      {
        hint: 'Name a later target, or take an earlier base backup.',
      },
    );
  }
  if (fatal === null || /could not (?:bind|create any)/.test(said)) {
    return new ThawError('DatabaseUnavailable', `The server ended while it recovered: ${said}.`, {
      hint: 'It is started again.',
    });
  }
  return new ThawError(
    'DumpRejected',
    `PostgreSQL does not recover the cluster: ${said.slice(0, 500)}${upTo}`,
    {
      hint: 'What it says has to be mended: a library of shared_preload_libraries to be installed, WAL of another cluster to be replaced, or the like.',
    },
  );
}

async function readTail(file: string): Promise<string> {
  const handle = await open(file, 'r').catch(() => null);
  if (handle === null) return '';
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.min(size, tail));
    await handle.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8');
  } finally {
    await handle.close();
  }
}

function lastMatch(text: string, pattern: RegExp): RegExpMatchArray | null {
  return [...text.matchAll(pattern)].at(-1) ?? null;
}
