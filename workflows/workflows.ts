/**
 * Everything that a worker runs as a workflow, by the names of `workflowTypes`: the entry of the
 * bundle, and hence the one file that only exports.
 */
// biome-ignore-start lint/performance/noBarrelFile: the bundler takes one entry file
export { backupDump } from './backup-dump.ts';
export { createSnapshot } from './create-snapshot.ts';
export { drill } from './drill.ts';
export { dropOldDatabase } from './drop-old-database.ts';
export { extractBundle } from './extract-bundle.ts';
export { holdDatabase } from './hold-database.ts';
export { restoreAll } from './restore-all.ts';
export { restoreArchive, restorePack } from './restore-archive.ts';
export { restoreBundle } from './restore-bundle.ts';
export { restoreDump } from './restore-dump.ts';
export { restorePitr } from './restore-pitr.ts';
export { restoreSnapshot } from './restore-snapshot.ts';
export { restoreSystem } from './restore-system.ts';
export { restoreTable } from './restore-table.ts';
export { undoRestore } from './undo-restore.ts';
// biome-ignore-end lint/performance/noBarrelFile: the bundler takes one entry file
