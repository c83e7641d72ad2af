import type { SnapshotSource } from '../contract/snapshot.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Which kind of snapshot is meant. What it is called tells: an id of `backup_pitr_snapshots` is a UUID, which is longer
 * than any id of Thaw; and the key of a `{tenant}/{job}-backup.json` has a slash or a dot, which no id has.
 */
export function parseSource(name: string): SnapshotSource {
  if (/[/.]/.test(name)) return { kind: 'object', key: name };
  return uuid.test(name) ? { kind: 'table', id: name } : { kind: 'stored', id: name };
}

/** What {@link parseSource} reads. */
export function sourceText(source: SnapshotSource): string {
  return source.kind === 'object' ? source.key : source.id;
}
