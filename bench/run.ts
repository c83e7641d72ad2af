import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { tryLock } from '../src/stack/lock.ts';
import { stopOnSignals, stopSignal } from './command.ts';
import type { Contestant } from './contestant.ts';
import { archiveCount, rowCount, sets } from './generate.ts';
import { type ArchiveBenchOptions, parseOptions, usage } from './options.ts';
import { profileTable } from './profile.ts';
import { psqlCopy, psqlVersion } from './psql.ts';
import { type Measurement, machine, markdownTable } from './report.ts';
import { type BenchServers, type ServerCpu, serverCpu, startServers } from './servers.ts';
import { benchSnapshots } from './snapshots.ts';
import { type Checksum, Target } from './target.ts';
import { clusterRestore, standaloneRestore, startWorker, thawSetup } from './thaw.ts';

const options = parseOptions(process.argv.slice(2));
if (options === null) process.stdout.write(usage);
else {
  stopOnSignals();
  // Ctrl-C also ends a `tee` behind the pipe; the servers must be stopped all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  if (options.set === 'snapshots') await benchSnapshots(options, { print, log });
  else await bench({ ...options, set: options.set });
}

/** Measures all contestants in turns and prints the report; progress goes to standard error. */
async function bench(options: ArchiveBenchOptions): Promise<void> {
  const host = machine();
  const psql = await psqlVersion();
  mkdirSync(options.folder, { recursive: true });
  const lock = await tryLock(path.join(options.folder, 'bench.lock'));
  if ('heldBy' in lock) throw new Error(`a benchmark runs in ${options.folder} already: ${lock.heldBy}`);
  const servers = await startServers(options, log);
  try {
    const target = new Target(servers.stack.postgres);
    const version = await target.version();
    const report = await measureAll(options, servers, target);
    const set = sets[options.set];
    const origin = options.objects === null ? 'generated' : 'of the given folder';
    print(
      `${archiveCount(set).toLocaleString('en-US')} archives (${origin}) of ` +
        `${set.rowsPerArchive.toLocaleString('en-US')} rows, ${options.rounds} rounds. ${host}; ` +
        `PostgreSQL ${version}, ${psql}. CPU seconds are per million rows.\n`,
    );
    print(report);
    if (options.profile !== null) print(`\n${await profileTable(options.profile)}`);
  } finally {
    await servers.stop();
    lock.release();
  }
}

async function measureAll(
  options: ArchiveBenchOptions,
  servers: BenchServers,
  target: Target,
): Promise<string> {
  const rows = rowCount(sets[options.set]);
  log('making the expected rows');
  const expected = await target.expected(rows);
  const setup = thawSetup(path.resolve(options.folder), servers);
  const temporal = servers.stack.temporal.address;
  const worker = await startWorker(setup, temporal);
  try {
    const contestants = [
      psqlCopy(servers.stack.postgres, servers.csvFile),
      ...options.lanes.map((lanes) => standaloneRestore(setup, lanes, options.profile)),
      ...options.lanes.map((lanes) => clusterRestore(setup, temporal, worker, lanes)),
    ];
    const measured = new Map<Contestant, Measurement[]>(contestants.map((contestant) => [contestant, []]));
    for (let round = 0; round <= options.rounds; round += 1) {
      for (const contestant of rotated(contestants, round)) {
        const measurement = await measure(contestant, round, { servers, target, expected });
        if (round > 0) measured.get(contestant)?.push(measurement);
      }
    }
    const results = [...measured].map(([contestant, measurements]) => ({ contestant, measurements }));
    return markdownTable(results, rows);
  } finally {
    await worker.stop();
  }
}

interface Ground {
  readonly servers: BenchServers;
  readonly target: Target;
  readonly expected: Checksum;
}

/** One run of a contestant into an empty table, checked afterwards. */
async function measure(
  contestant: Contestant,
  round: number,
  { servers, target, expected }: Ground,
): Promise<Measurement> {
  stopSignal.throwIfAborted();
  await target.reset();
  await servers.forgetRestores();
  const before = serverCpu(servers.stack);
  const run = await contestant.run(round);
  const after = serverCpu(servers.stack);
  await target.verify(contestant.name, expected);
  const lanes = contestant.lanes === null ? '' : `, ${contestant.lanes} lanes`;
  log(
    `${round === 0 ? 'warm-up' : `round ${round}`}: ${run.seconds.toFixed(2)} s ${contestant.name}${lanes}`,
  );
  return { ...run, servers: difference(after, before) };
}

/** In another order each round, so that none always comes behind the same one. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function difference(after: ServerCpu, before: ServerCpu): ServerCpu {
  const of = (server: keyof ServerCpu) => {
    const [end, start] = [after[server], before[server]];
    return end === null || start === null ? null : end - start;
  };
  return { postgres: of('postgres'), s3: of('s3'), temporal: of('temporal') };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}
