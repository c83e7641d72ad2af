import type { OpenedBundles } from '../src/bundle/opened-bundles.ts';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { backUpDatabase } from './back-up-database.ts';
import { cancelWorkflow } from './cancel-workflow.ts';
import { checkBase } from './check-base.ts';
import { checkSnapshot } from './check-snapshot.ts';
import { chooseDump } from './choose-dump.ts';
import { copyStageMerge } from './copy-stage-merge.ts';
import { createTables } from './create-tables.ts';
import { discardCluster } from './discard-cluster.ts';
import { discardLoad } from './discard-load.ts';
import { discardSnapshot } from './discard-snapshot.ts';
import { dropOldDatabase } from './drop-old-database.ts';
import { dropScratch } from './drop-scratch.ts';
import { expireSnapshots } from './expire-snapshots.ts';
import { fetchBundle } from './fetch-bundle.ts';
import { fetchWal } from './fetch-wal.ts';
import { finishBundle } from './finish-bundle.ts';
import { finishCluster } from './finish-cluster.ts';
import { finishSnapshot } from './finish-snapshot.ts';
import { finishTable } from './finish-table.ts';
import { importDescribe } from './import-describe.ts';
import { importModels } from './import-models.ts';
import { importWhole } from './import-whole.ts';
import { inspectBundle } from './inspect-bundle.ts';
import { listArchives } from './list-archives.ts';
import { loadDump } from './load-dump.ts';
import { mergeSnapshot } from './merge-snapshot.ts';
import { migrateSchema } from './migrate-schema.ts';
import { nameHolder } from './name-holder.ts';
import { notifyDrill } from './notify-drill.ts';
import { notifySystem } from './notify-system.ts';
import { planDrill } from './plan-drill.ts';
import { planRestore } from './plan-restore.ts';
import { planSystem } from './plan-system.ts';
import { planUndo } from './plan-undo.ts';
import { prepareTable } from './prepare-table.ts';
import { proveDump } from './prove-dump.ts';
import { recordDrill } from './record-drill.ts';
import { recordDump } from './record-dump.ts';
import { recordExtract } from './record-extract.ts';
import { recordRestore } from './record-restore.ts';
import { recordRun } from './record-run.ts';
import { recordSnapshot } from './record-snapshot.ts';
import { recordUndo } from './record-undo.ts';
import { recoverCluster } from './recover-cluster.ts';
import { renewLease } from './renew-lease.ts';
import { renewSnapshot } from './renew-snapshot.ts';
import { runHook } from './run-hook.ts';
import { stageSnapshot } from './stage-snapshot.ts';
import { surveyDatabase } from './survey-database.ts';
import { swapDatabase } from './swap-database.ts';
import { tallyLedger } from './tally-ledger.ts';
import { undoRestore } from './undo-restore.ts';
import { undoSwap } from './undo-swap.ts';
import { unpackBase } from './unpack-base.ts';
import { updateWatermark } from './update-watermark.ts';
import { verifyArchives } from './verify-archives.ts';
import { verifyCluster } from './verify-cluster.ts';
import { verifyDump } from './verify-dump.ts';
import type { WorkerControl } from './worker-control.ts';
import { writeAuditEvent } from './write-audit-event.ts';
import { writeExtract } from './write-extract.ts';
import { writeSnapshot } from './write-snapshot.ts';

/**
 * Everything that a worker runs as an activity.
 *
 * @param control where runs are kept
 * @param searchAttributes whether they are registered
 * @param bundles of the worker's store
 */
export function createActivities(
  thaw: ThawContext,
  control: WorkerControl,
  searchAttributes: boolean,
  bundles: OpenedBundles,
): Activities {
  const worker = { thaw, control, bundles };
  return {
    createTables: createTables(thaw),
    planRestore: planRestore(thaw, searchAttributes),
    recordRestore: recordRestore(thaw),
    prepareTable: prepareTable(thaw),
    migrateSchema: migrateSchema(thaw),
    listArchives: listArchives(thaw),
    verifyArchives: verifyArchives(thaw),
    copyStageMerge: copyStageMerge(thaw),
    tallyLedger: tallyLedger(thaw),
    renewLease: renewLease(thaw),
    updateWatermark: updateWatermark(thaw),
    finishTable: finishTable(thaw),
    writeAuditEvent: writeAuditEvent(thaw),
    cancelWorkflow: cancelWorkflow(),
    fetchBundle: fetchBundle(worker),
    inspectBundle: inspectBundle(worker, searchAttributes),
    importDescribe: importDescribe(worker),
    importModels: importModels(worker),
    importWhole: importWhole(worker),
    finishBundle: finishBundle(worker),
    recordRun: recordRun(worker),
    chooseDump: chooseDump(thaw, searchAttributes),
    proveDump: proveDump(thaw),
    surveyDatabase: surveyDatabase(thaw),
    loadDump: loadDump(thaw),
    verifyDump: verifyDump(thaw),
    swapDatabase: swapDatabase(thaw),
    discardLoad: discardLoad(thaw),
    dropOldDatabase: dropOldDatabase(thaw),
    recordDump: recordDump(thaw),
    nameHolder: nameHolder(),
    backUpDatabase: backUpDatabase(thaw),
    planDrill: planDrill(thaw),
    dropScratch: dropScratch(thaw),
    recordDrill: recordDrill(thaw),
    notifyDrill: notifyDrill(thaw),
    planSystem: planSystem(thaw, searchAttributes),
    runHook: runHook(thaw),
    notifySystem: notifySystem(thaw),
    undoSwap: undoSwap(thaw),
    checkBase: checkBase(thaw, searchAttributes),
    unpackBase: unpackBase(thaw),
    fetchWal: fetchWal(thaw),
    recoverCluster: recoverCluster(thaw),
    verifyCluster: verifyCluster(thaw),
    finishCluster: finishCluster(thaw),
    discardCluster: discardCluster(thaw),
    planUndo: planUndo(thaw, searchAttributes),
    undoRestore: undoRestore(worker),
    recordUndo: recordUndo(thaw),
    writeExtract: writeExtract(thaw),
    recordExtract: recordExtract(control),
    writeSnapshot: writeSnapshot(thaw),
    discardSnapshot: discardSnapshot(thaw),
    expireSnapshots: expireSnapshots(thaw),
    checkSnapshot: checkSnapshot(thaw, searchAttributes),
    stageSnapshot: stageSnapshot(thaw),
    mergeSnapshot: mergeSnapshot(thaw),
    renewSnapshot: renewSnapshot(thaw),
    finishSnapshot: finishSnapshot(thaw),
    recordSnapshot: recordSnapshot(thaw),
  };
}
