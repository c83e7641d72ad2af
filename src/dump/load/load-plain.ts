import { randomBytes } from 'node:crypto';
import { corruptDump, openDump } from '../format/open-dump.ts';
import { knowsRestrict } from '../tools/client-programs.ts';
import { type ProgramEnd, runProgram } from '../tools/run-program.ts';
import type { DumpToLoad } from './dump-to-load.ts';
import type { LoadPlace } from './load-place.ts';
import { PlainFilter } from './plain-filter.ts';
import { provedBytes } from './proved-bytes.ts';

/** The first release that knows `transaction_timeout`, which its pg_dump sets in every dump. */
const transactionTimeoutSince = 17;

/**
 * Loads a plain dump with psql, each byte looked at before psql gets it. What pg_dump wrote goes into one
 * transaction of ours, whose `commit` is sent only when the dump was seen to its end: with psql's own
 * `--single-transaction`, an input that breaks off, as when this process dies, would be committed.
 */
export async function loadPlain(load: DumpToLoad, place: LoadPlace): Promise<ProgramEnd> {
  const { access, programs, messages } = place;
  const onError = load.allowErrors
    ? ['--set=ON_ERROR_STOP=0', '--set=ON_ERROR_ROLLBACK=on']
    : ['--set=ON_ERROR_STOP=1'];
  let isWhole = false;
  const end = await runProgram({
    program: programs.psql,
    args: [
      ...['--no-psqlrc', '--no-password', '--quiet', `--dbname=${access.dbname}`, '--file=-'],
      // The SQLSTATE tells an error in any language, the context whether a function raised it.
      ...['--set=VERBOSITY=verbose', '--set=SHOW_CONTEXT=errors'],
      ...onError,
    ],
    env: access.env,
    signal: load.signal,
    input: statements(load, place, () => {
      isWhole = true;
    }),
    onMessage: (line) => messages.take(line),
  });
  // It read less than all, and so without the `commit`: what it calls success is none.
  return isWhole ? end : { ...end, code: end.code || 1 };
}

async function* statements(
  load: DumpToLoad,
  { programs, server }: LoadPlace,
  onEnd: () => void,
): AsyncGenerator<Uint8Array> {
  const { proof, store, signal, onProgress } = load;
  const { key, etag } = proof.dump;
  const dump = await openDump(store, key, {
    etag,
    signal,
    onBytes: (bytes) => onProgress?.({ stage: 'load', bytes }),
  });
  const isCluster = dump.format === 'cluster';
  const restriction = knowsRestrict(programs) ? randomBytes(24).toString('hex') : null;
  const filter = new PlainFilter(key, {
    restriction,
    settings: server.major < transactionTimeoutSince ? ['transaction_timeout'] : [],
    transactions: !isCluster,
    database: !isCluster,
    roles: isCluster ? server.roles : new Set(),
  });
  // On the first line of the dump, so that line numbers in messages are those of the dump.
  if (restriction !== null) yield Buffer.from(`\\restrict ${restriction} \\\\ `);
  if (!isCluster) yield Buffer.from('begin; ');
  for await (const chunk of provedBytes(dump, proof)) yield* filter.push(chunk);
  const { rest, facts } = filter.end();
  if (facts.cut !== null) throw corruptDump(key, facts.cut);
  yield* rest;
  if (!isCluster) yield Buffer.from('\ncommit;\n');
  onEnd();
}
