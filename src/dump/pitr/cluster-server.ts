import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ProcessUser } from '../../stack/process.ts';
import { runProgram } from '../tools/run-program.ts';
import type { ServerPrograms } from '../tools/server-programs.ts';
import type { ClusterFolder } from './cluster-folder.ts';

/** A server as its own file tells it. */
export interface ClusterStatus {
  readonly port: number;
  /** `ready`: it was promoted; `standby`: it recovers, and may be read; else it starts or stops. */
  readonly state: string;
}

/** What starts and stops the server of a cluster. */
export interface ClusterControl {
  readonly programs: ServerPrograms;
  readonly folder: ClusterFolder;
  /** Who it runs as; null: whoever runs this. */
  readonly user: ProcessUser | null;
  readonly env: NodeJS.ProcessEnv;
}

/** The server of a cluster; null where none runs. */
export async function clusterStatus({ data }: Pick<ClusterFolder, 'data'>): Promise<ClusterStatus | null> {
  const text = await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid = '', , , port = '', , , , state = ''] = text.split('\n');
  if (!/^\d+$/.test(pid) || !isProcess(Number(pid))) return null;
  return { port: Number(port), state: state.trim() };
}

/**
 * Has the server started, in a session of its own: it outlives whoever starts it. Not waited for.
 *
 * @param options further settings, which win over those of all files
 */
export async function startCluster(
  { programs, folder, user, env }: ClusterControl,
  options: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const { data, log } = folder;
  // pg_ctl gives them to a shell.
  const words = Object.entries({ data_directory: data, ...options }).map(
    ([name, value]) => `-c ${name}='${value.replaceAll("'", `'\\''`)}'`,
  );
  await runProgram({
    program: programs.pgCtl,
    args: ['start', '--no-wait', '--silent', '--pgdata', data, '--log', log, '--options', words.join(' ')],
    ...{ user, signal, cwd: data, env: { PATH: env.PATH, LC_ALL: 'C', TZ: 'UTC' } },
    onMessage: () => {},
  });
}

/** Stops the server, with its sessions; none that runs is as good. */
export async function stopCluster(control: ClusterControl, signal: AbortSignal): Promise<void> {
  const { programs, folder, user, env } = control;
  for (const mode of ['fast', 'immediate']) {
    if ((await clusterStatus(folder)) === null) return;
    await runProgram({
      program: programs.pgCtl,
      args: ['stop', '--silent', '--pgdata', folder.data, '--mode', mode, '--timeout', '60'],
      ...{ user, signal, cwd: folder.data, env: { PATH: env.PATH, LC_ALL: 'C' } },
      onMessage: () => {},
    });
  }
}

function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
