import { access, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PitrRequest } from '../../contract/pitr.ts';
import type { ClusterFolder } from './cluster-folder.ts';
import type { ControlData } from './control-data.ts';

/** What the settings of a recovered cluster follow from. */
export interface SettingsOptions {
  readonly request: Pick<PitrRequest, 'target' | 'isExclusive' | 'timeline'>;
  readonly folder: ClusterFolder;
  readonly control: ControlData;
  readonly port: number;
  readonly major: number;
}

const begin = '# Thaw: settings of this cluster, in place of those of the one that was backed up';
const end = '# Thaw: end';

/** Settings of the backup's own file that would lead to another cluster's files. */
const leadsAway = /^(\s*(?:data_directory|hba_file|ident_file|external_pid_file)\b)/gim;

/**
 * Writes the settings that a cluster is recovered by, where they win over those of the backup: at the end of
 * postgresql.auto.conf. Files that the backup lacks, as Debian keeps them elsewhere, are made. Called again, it
 * replaces what it has written.
 */
export async function writeSettings(options: SettingsOptions): Promise<void> {
  const { data } = options.folder;
  const own = path.join(data, 'postgresql.conf');
  const settings = await readFile(own, 'utf8').catch(() => '# Made by Thaw: the base backup had none.\n');
  await writeFile(own, settings.replaceAll(leadsAway, '# $1'), { mode: 0o600 });
  for (const name of ['pg_hba.conf', 'pg_ident.conf']) {
    const file = path.join(data, name);
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (!isThere) await writeFile(file, '# Made by Thaw: the base backup had none.\n', { mode: 0o600 });
  }
  await writeFile(path.join(data, hbaName), hba, { mode: 0o600 });
  await writeOwn(data, [...clusterSettings(options), ...recoverySettings(options)]);
}

/** Takes out what only recovery needs. */
export async function endRecoverySettings(data: string): Promise<void> {
  const lines = (await ownSettings(data)).filter(
    (line) => !/^(?:restore_command|recovery_|primary_|hot_standby|archive_cleanup_command)/.test(line),
  );
  await writeOwn(data, lines);
}

const hbaName = 'pg_hba.thaw.conf';

/** The socket lies in a folder that nobody else may enter; over TCP, roles have the passwords that they had. */
const hba = `# Made by Thaw. The socket is in a folder that only its owner may enter.
local all all trust
host all all 127.0.0.1/32 md5
host all all ::1/128 md5
`;

function clusterSettings({ folder, control, port, major }: SettingsOptions): string[] {
  const settings: Record<string, string> = {
    hba_file: path.join(folder.data, hbaName),
    ident_file: path.join(folder.data, 'pg_ident.conf'),
    listen_addresses: 'localhost',
    port: String(port),
    unix_socket_directories: folder.into,
    // Never into the archive of the cluster that was backed up.
    archive_mode: 'off',
    archive_command: '',
    ...(major >= 15 ? { archive_library: '' } : {}),
    ssl: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '%m [%p] ',
    log_timezone: 'UTC',
    log_min_messages: 'warning',
    lc_messages: 'C',
    // Smaller ones than those of the cluster that was backed up keep it from being read while it recovers.
    ...control.settings,
  };
  return Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}`);
}

function recoverySettings({ request, folder }: SettingsOptions): string[] {
  const { target, isExclusive, timeline } = request;
  const settings: Record<string, string> = {
    ...{ primary_conninfo: '', primary_slot_name: '', archive_cleanup_command: '', recovery_end_command: '' },
    ...{ recovery_min_apply_delay: '0', hot_standby: 'on' },
    // %% stands for %, and what a path may hold besides is quoted for the shell.
    restore_command: `cp ${shellQuoted(folder.wal).replaceAll('%', '%%')}/%f "%p"`,
    recovery_target: '',
    // Names of zones are not known yet when it is read.
    recovery_target_time: target.kind === 'time' ? target.time.replace('T', ' ').replace('Z', '+00') : '',
    recovery_target_lsn: target.kind === 'lsn' ? target.lsn : '',
    recovery_target_xid: target.kind === 'xid' ? target.xid : '',
    recovery_target_name: target.kind === 'name' ? target.name : '',
    recovery_target_inclusive: isExclusive ? 'off' : 'on',
    recovery_target_timeline: timeline,
    recovery_target_action: 'promote',
  };
  // Of the targets only one may be set, and an empty one behind it would unset it.
  const isUnset = ([name, value]: readonly [string, string]) =>
    value === '' && name.startsWith('recovery_target');
  const entries = Object.entries(settings);
  return [...entries.filter(isUnset), ...entries.filter((entry) => !isUnset(entry))].map(
    ([name, value]) => `${name} = ${quoted(value)}`,
  );
}

async function ownSettings(data: string): Promise<string[]> {
  const text = await readAuto(data);
  const [, own = ''] = text.split(`${begin}\n`);
  return own.split('\n').filter((line) => line !== '' && line !== end);
}

async function writeOwn(data: string, lines: readonly string[]): Promise<void> {
  const [before = ''] = (await readAuto(data)).split(`${begin}\n`);
  await writeFile(
    path.join(data, 'postgresql.auto.conf'),
    [`${before}${begin}`, ...lines, end, ''].join('\n'),
    {
      mode: 0o600,
    },
  );
}

async function readAuto(data: string): Promise<string> {
  const text = await readFile(path.join(data, 'postgresql.auto.conf'), 'utf8').catch(() => '');
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
