import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type {
  DumpActivities,
  DumpOutcome,
  DumpProof,
  DumpReport,
  DumpStep,
} from '../../src/contract/dump-activities.ts';
import type { DumpRef, DumpRequest } from '../../src/contract/dump-request.ts';
import type { ErrorCode } from '../../src/contract/error-code.ts';
import { Gate } from './fake-database.ts';

/** Stands in for dumps and databases, so that a test decides how each step goes, and sees what was asked. */
export class FakeDumps {
  candidates: readonly DumpRef[] = [dumpOf(3), dumpOf(2), dumpOf(1)];
  /** Dumps that are not good, by key. */
  readonly bad = new Set<string>();
  /** How steps end, in place of success. */
  readonly failures = new Map<DumpStep | 'discard' | 'drop', ApplicationFailure>();
  report: DumpReport['outcome'] = 'verified';
  /** While it is closed, the step of {@link gated} does not end. */
  readonly gate = new Gate();
  gated: DumpStep = 'load';
  /** Signs of life of gated steps: the answers to them tell of a cancel. */
  beats = 0;
  /** What was done, in order: `prove argus_3.sql.gz`, `load`, `discard`; with `broken off` where it was. */
  readonly steps: string[] = [];
  readonly recorded: { state: string; outcome: DumpOutcome | null }[] = [];
  holder: string | null = null;
  searchAttributes = false;

  activities(): DumpActivities {
    return {
      chooseDump: async () => {
        await this.#do('choose', 'choose');
        return { candidates: this.candidates, notices: ['chosen'], searchAttributes: this.searchAttributes };
      },
      proveDump: async ({ dump }) => {
        await this.#do('prove', `prove ${dump.key}`);
        if (this.bad.has(dump.key)) throw failureOf('ArchiveCorrupt', `${dump.key}: it ends too early`);
        return proofOf(dump);
      },
      surveyDatabase: async () => {
        await this.#do('survey', 'survey');
        return { before: factsOf('argus_db'), notices: [] };
      },
      loadDump: async ({ request }) => {
        await this.#do('load', 'load');
        const isNew = request.mode !== 'into-existing';
        return {
          database: isNew ? `${request.database}__thaw_x` : request.database,
          seconds: 1,
          warnings: [],
        };
      },
      verifyDump: async ({ load }) => {
        await this.#do('verify', 'verify');
        return {
          outcome: this.report,
          checks: [
            { name: 'rows', outcome: this.report === 'failed' ? 'failed' : 'passed', detail: '2 of 3' },
          ],
          tables: [],
          before: null,
          after: factsOf(load.database),
        };
      },
      swapDatabase: async ({ request }) => {
        await this.#do('swap', 'swap');
        const dropAt = new Date(Date.now() + request.keepOldSeconds * 1000).toISOString();
        return { old: `${request.database}__old_1`, dropAt, notices: [] };
      },
      discardLoad: async () => {
        this.steps.push('discard');
        this.#failAt('discard');
        return { leftBehind: [], notices: ['discarded'] };
      },
      dropOldDatabase: async ({ name }) => {
        this.steps.push(`drop ${name}`);
        this.#failAt('drop');
      },
      recordDump: async ({ state, outcome }) => {
        this.recorded.push({ state, outcome });
        return [];
      },
      nameHolder: async () => this.holder,
    };
  }

  async #do(step: DumpStep, what: string): Promise<void> {
    this.steps.push(what);
    if (this.gate.isClosed && this.gated === step) {
      const context = Context.current();
      const beat = setInterval(() => {
        this.beats += 1;
        context.heartbeat();
      }, 50);
      try {
        await Promise.race([this.gate.opened, context.cancelled]);
      } catch (error) {
        this.steps.push(`${step} broken off`);
        throw error;
      } finally {
        clearInterval(beat);
      }
    }
    this.#failAt(step);
  }

  #failAt(step: DumpStep | 'discard' | 'drop'): void {
    const failure = this.failures.get(step);
    if (failure !== undefined) throw failure;
  }
}

/** A dump of the third, second, first day. */
export function dumpOf(day: number): DumpRef {
  const at = `2026-01-0${day}T02:00:00.000Z`;
  return { key: `argus_${day}.sql.gz`, bytes: 1000, etag: `${day}`, modifiedAt: at, takenAt: at };
}

export function failureOf(code: ErrorCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: code,
    message,
    nonRetryable: true,
    details: [{ hint: 'Mend it.' }],
  });
}

function proofOf(dump: DumpRef): DumpProof {
  return {
    ...{
      dump,
      format: 'plain',
      compression: 'gzip',
      serverVersion: '15.18',
      dumpVersion: '15.18',
      dropsTables: false,
    },
    ...{ database: 'argus_db', tables: 1, rows: 3, bytes: 5000, extensions: [], roles: [], notices: [] },
  };
}

function factsOf(database: string) {
  return { database, oid: 1, serverVersion: '15.18', bytes: 1, tables: 1, rows: 3, estimated: 0 };
}

/** A request for the latest dump, into the database of a server that nothing else uses. */
export function dumpRequest(restoreId: string, rest: Partial<DumpRequest> = {}): DumpRequest {
  return {
    restoreId,
    ...{ service: 'argus', fingerprint: 'none', server: `${restoreId}:5432`, database: 'argus_db' },
    choice: { kind: 'latest', before: null },
    mode: 'swap',
    ...{ into: null, create: false, owner: null, options: [], fallback: 0, keepOldSeconds: 86_400 },
    part: { tables: [], schemas: [], sections: [], dataOnly: false, schemaOnly: false, clean: false },
    ...{ jobs: null, allowErrors: false, checks: [], checkUrls: [], heartbeatSeconds: 5 },
    ...rest,
  };
}
