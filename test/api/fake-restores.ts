import { pino } from 'pino';
import { type AppDependencies, createApp } from '../../src/api/app.ts';
import type { Authenticator } from '../../src/api/auth.ts';
import { bundleSettings } from '../../src/api/bundle-settings.ts';
import { ExtractRuns } from '../../src/api/extract-runs.ts';
import { Reconciler } from '../../src/api/reconciler.ts';
import type { Restores } from '../../src/api/runs.ts';
import { SnapshotChoices } from '../../src/api/snapshot-choices.ts';
import { SnapshotLooks } from '../../src/api/snapshot-looks.ts';
import { Selections } from '../../src/api/snapshot-selections.ts';
import { Snapshots } from '../../src/api/snapshots.ts';
import type { ArchivesDependencies } from '../../src/api/sources/archives.ts';
import type { DumpsDependencies } from '../../src/api/sources/dumps.ts';
import { Sources } from '../../src/api/sources/sources.ts';
import { AllowedPlaces } from '../../src/bundle/source-url.ts';
import { parseRestoreInput } from '../../src/client/restore-input.ts';
import { toRestoreRequest } from '../../src/client/restore-request.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { RestoreOutcome, TableOutcome } from '../../src/contract/outcome.ts';
import type { RestoreRequest } from '../../src/contract/restore-request.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { FolderStore } from '../../src/store/folder-store.ts';

/** A configuration of one database with one table. */
export const testConfig = parseConfig(
  `
version: "1.0"
s3: { bucket: archives, prefix: archives, endpoint: "http://127.0.0.1:1" }
databases:
  - name: production_db
    host: 127.0.0.1
    user: thaw
    password: secret
    tables: [{ name: audit_logs }]
`,
  '/etc/thaw/config.yaml',
  {},
);

/** What Temporal remembers, without Temporal: starts are written down, everything else is as a test says. */
export interface FakeRestores extends Restores {
  /** What the workflows of runs were started with. */
  readonly started: RestoreRequest[];
}

export function fakeRestores(answers: Partial<Restores> = {}): FakeRestores {
  const started: RestoreRequest[] = [];
  const unexpected = async () => {
    throw new Error('the test did not expect this question');
  };
  return {
    started,
    startRun: async (_, { args }) => {
      started.push(args[0] as RestoreRequest);
    },
    describe: async () => null,
    progress: unexpected,
    outcome: unexpected,
    pause: unexpected,
    resume: unexpected,
    cancel: unexpected,
    ...answers,
  };
}

/** Nothing listens on port 1: for tests that ask nothing of it. */
const nowhere = new ControlDatabase('postgres://thaw@127.0.0.1:1/thaw');

/** Takes everybody for one who may do everything. */
export const anybody: Authenticator = {
  authenticate: async () => ({
    subject: 'tester',
    tenant: 'default',
    access: 'root',
    namespace: 'public',
  }),
};

/** What a test may put in place of the fakes. */
export type TestDependencies = Partial<
  AppDependencies & Pick<ArchivesDependencies, 'findRecorded' | 'preview'> & Pick<DumpsDependencies, 'dumps'>
>;

/** Restores of dumps, where a test follows none. */
const noDumps: DumpsDependencies['dumps'] = {
  progress: noAnswer,
  outcome: noAnswer,
};

function noAnswer(): Promise<never> {
  return Promise.reject(new Error('the test did not expect this question'));
}

/** Temporal for extracts, where a test asks for none. */
const noExtracts = {
  start: async () => {},
  standing: async () => 'unknown' as const,
  cancel: async () => {},
};

/** The parts of the API over fakes. */
export function testParts(dependencies: TestDependencies = {}): AppDependencies {
  const {
    config = testConfig,
    control = nowhere,
    restores = fakeRestores(),
    logger = pino({ enabled: false }),
  } = dependencies;
  const bundles = bundleSettings(config, {});
  const store = new FolderStore({ kind: 'folder', path: '/nowhere', prefix: '' });
  const place = { store, prefix: '' };
  const tools = {
    orderTables: noAnswer,
    tenantOfRow: noAnswer,
    preview: noAnswer,
    validate: noAnswer,
    diff: noAnswer,
  };
  const tenantColumn = 'tenant_id';
  const snapshots = new Snapshots({
    ...{ config, env: {}, control, place, tools, tenantColumn },
    client: { start: noAnswer, describe: noAnswer, failure: noAnswer, cancel: noAnswer },
  });
  const choices = new SnapshotChoices({ config, snapshots, tools, tenantColumn });
  const looks = new SnapshotLooks(tools);
  const selections = new Selections({ control, place, settings: bundles });
  const sources = new Sources({
    allowedUrls: new AllowedPlaces(undefined),
    bundles,
    config,
    restores,
    findRecorded: dependencies.findRecorded ?? (async () => null),
    preview: dependencies.preview ?? (async () => []),
    dumps: dependencies.dumps ?? noDumps,
    findDump: async () => null,
    findDrill: async () => null,
    snapshotChoices: choices,
    snapshotLooks: looks,
    snapshotSelections: selections,
    snapshotRestores: { progress: noAnswer, outcome: noAnswer },
    findSnapshotRestore: async () => null,
    settleSnapshots: async () => {},
    admitSnapshot: async () => {},
    drills: { progress: noAnswer, outcome: noAnswer },
    systems: { progress: noAnswer, outcome: noAnswer },
    undos: { progress: noAnswer, outcome: noAnswer },
    extentOf: noAnswer,
    standingOf: noAnswer,
    loadSystems: async () => [],
  });
  return {
    config,
    control,
    restores,
    sources,
    reconciler: new Reconciler({ control, restores, sources, logger }),
    readiness: async () => ({ configuration: true, temporal: true, database: true }),
    authenticator: anybody,
    rateLimit: { take: async () => {} },
    store,
    bundles,
    listDrills: noAnswer,
    drillSchedules: { subjects: noAnswer, find: noAnswer, keep: noAnswer, remove: noAnswer },
    loadSystems: async () => [],
    decide: noAnswer,
    services: { dumps: noAnswer, swapBack: noAnswer },
    snapshotHistory: { tenantColumn, listHistory: noAnswer },
    snapshots,
    snapshotLooks: { choices, looks, selections },
    extracts: new ExtractRuns({ config, control, client: noExtracts, settings: bundles, logger }),
    logger,
    ...dependencies,
  };
}

/** The API over fakes; it asks for no token unless a test gives an authenticator. */
export function testApp(dependencies: TestDependencies = {}) {
  return createApp(testParts(dependencies));
}

/** A POST with a JSON body. */
export function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

/** An answer of the API with its body. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: {
    readonly success: boolean;
    readonly data: Record<string, unknown>;
    readonly error?: string;
    readonly error_code?: string;
  };
}

export async function read(response: Response): Promise<Answer> {
  const json = (await response.json()) as Answer['json'];
  return { status: response.status, headers: response.headers, json };
}

/** A request for the one table that is configured. */
export function testRequest(restoreId: string): RestoreRequest {
  const input = parseRestoreInput({ database: 'production_db', table: 'audit_logs', restore_all: true });
  return toRestoreRequest(input, testConfig, restoreId);
}

/** Ten archives of 1,000 rows each, of which one failed. */
export function failedOutcome(restoreId: string): RestoreOutcome {
  const tally = {
    archives: { restored: 9, earlier: 0, failed: 1 },
    rows: { inserted: 8500, updated: 100, skipped: 400, failed: 1000 },
    bytes: 5000,
  };
  const table: TableOutcome = {
    target: 'public.audit_logs',
    tally,
    failures: [
      {
        archive: 'audit_logs_20260104T052021Z_batch_003.jsonl.gz',
        code: 'ChecksumMismatch',
        message: 'the checksum is another one',
        hint: 'Bring back an earlier version.',
        stage: 'download',
        rows: 1000,
      },
    ],
    error: null,
    notices: [],
    columnNotes: [],
  };
  const state = 'completed_with_failures';
  return { restoreId, state, database: 'production_db', tally, tables: [table], error: null, seconds: 12.5 };
}
