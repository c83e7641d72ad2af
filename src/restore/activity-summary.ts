import type { Activities } from '../contract/activities.ts';
import { formatCounted } from './format.ts';

/** What an activity does, for people who look at a workflow in the Temporal UI. */
type Words = { readonly [Name in keyof Activities]: (input: Parameters<Activities[Name]>[0]) => string };

const words: Words = {
  planRestore: () => 'order the tables by their foreign keys',
  createTables: () => 'make the tables that are not there',
  recordRestore: ({ state }) => `write down: ${state}`,
  prepareTable: () => 'take the table, read its catalog',
  migrateSchema: () => 'compare archived schemas with the table',
  listArchives: ({ cursor }) => (cursor === null ? 'list archives' : 'list the next archives'),
  verifyArchives: () => 'read archives to their ends',
  copyStageMerge: ({ archives }) => `load ${formatCounted(archives.length, 'archive')}`,
  tallyLedger: () => 'add up what was committed',
  renewLease: () => 'keep the table',
  updateWatermark: () => 'write the watermark',
  writeAuditEvent: () => 'write into the audit trail',
  finishTable: () => 'indexes, sequences, ANALYZE; let the table go',
  cancelWorkflow: () => 'have Temporal cancel',
  backUpDatabase: ({ database }) => `pg_dump of ${database} into the store`,
  fetchBundle: () => 'bring the bundle into the store',
  inspectBundle: () => 'check the bundle',
  importDescribe: () => 'make the models that are missing',
  importModels: ({ groups }) => `load ${groups.flat().join(', ')}`,
  importWhole: () => 'make and load all models in one transaction',
  finishBundle: () => 'sequences, ANALYZE, installed version',
  recordRun: ({ state }) => (state === undefined ? 'write how far it is' : `write down: ${state}`),
  planDrill: () => 'name a scratch place',
  dropScratch: () => 'drop the scratch place',
  recordDrill: () => 'keep the report',
  notifyDrill: ({ event }) => `tell the webhook: ${event}`,
  chooseDump: ({ database }) => `choose a dump for ${database}`,
  proveDump: ({ dump }) => `read ${dump.key} to its end`,
  surveyDatabase: ({ request }) => `look at ${request.database} as it is`,
  loadDump: ({ request }) => `load the dump for ${request.database}`,
  verifyDump: ({ request }) => `compare what was loaded for ${request.database} with the dump`,
  swapDatabase: ({ request }) => `swap ${request.database} by rename`,
  discardLoad: ({ database }) => `remove what was loaded for ${database}`,
  dropOldDatabase: ({ name }) => `drop ${name}`,
  nameHolder: () => 'find out who holds the database',
  recordDump: ({ request, state }) => `write down: ${request.database} is ${state}`,
  writeExtract: () => 'write the bundle into the store',
  recordExtract: () => 'write how far it is',
  checkBase: () => 'see that base backup, WAL and target go together',
  unpackBase: () => 'unpack the base backup',
  fetchWal: () => 'bring the WAL',
  recoverCluster: () => 'have PostgreSQL replay the WAL',
  verifyCluster: () => 'look at what came back',
  finishCluster: () => 'remove the WAL that was fetched',
  discardCluster: () => 'stop the server, remove its folder',
  writeSnapshot: () => 'read the tables into the store',
  discardSnapshot: () => 'remove what was written',
  expireSnapshots: () => 'delete those that have expired',
  checkSnapshot: () => 'open the snapshot, take the tables',
  stageSnapshot: () => 'copy its rows beside the tables',
  mergeSnapshot: () => 'merge them into the tables in one transaction',
  renewSnapshot: () => 'keep the tables',
  finishSnapshot: () => 'remove the copies, let the tables go',
  recordSnapshot: ({ state }) => `write down: ${state}`,
  planSystem: () => 'read the plan of the system, find its dumps',
  runHook: ({ kind, index }) => `${kind} ${index + 1}`,
  notifySystem: ({ event }) => `tell a webhook: ${event}`,
  undoSwap: ({ database }) => `make the old ${database} live again`,
  planUndo: () => 'find what there is to undo',
  undoRestore: () => 'take back what the restore did',
  recordUndo: () => 'tell what came of it',
};

/** The summary that the Temporal UI shows of an activity; undefined for one that is not Thaw's. */
export function activitySummary(type: string, args: readonly unknown[]): string | undefined {
  if (!isActivity(type)) return undefined;
  const tell = words[type] as (input: unknown) => string;
  return tell(args[0]);
}

function isActivity(type: string): type is keyof Activities {
  return Object.hasOwn(words, type);
}
