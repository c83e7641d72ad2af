import type { ApplicationFailure } from '@temporalio/common';
import type { DumpActivities } from '../../src/contract/dump-activities.ts';
import type { DumpRequest } from '../../src/contract/dump-request.ts';
import type { PlannedDatabase, SystemActivities } from '../../src/contract/system-activities.ts';
import type { HookKind, SystemEvent, SystemRequest } from '../../src/contract/system-request.ts';
import { Gate } from './fake-database.ts';
import { dumpOf, dumpRequest, FakeDumps, failureOf } from './fake-dumps.ts';

/** Two services with their dumps, and what stops and starts them; a test decides how each step goes. */
export class FakeSystem {
  readonly argus = new FakeDumps();
  readonly hermes = new FakeDumps();
  /** Hooks that fail, such as `stop:1`, so many times. */
  readonly failures = new Map<string, number>();
  /** While it is closed, the hook of {@link gated} does not end. */
  readonly gate = new Gate();
  gated = '';
  /** What was done besides the work on dumps, in order: `stop:1`, `undo argus`. */
  readonly steps: string[] = [];
  readonly told: { event: SystemEvent; body: Readonly<Record<string, unknown>> }[] = [];
  waitSeconds = 0;
  after: readonly string[] = [];
  rpo: number | null = null;

  /** Those of both services, by what they are asked for. */
  activities(): DumpActivities & SystemActivities {
    return { ...this.#dumpActivities(), ...this.#systemActivities() };
  }

  #systemActivities(): SystemActivities {
    return {
      planSystem: async (request) => ({
        databases: [this.#planned('argus', request, []), this.#planned('hermes', request, this.after)],
        hooks: { stop: ['docker'], start: ['docker', 'curl'], health: ['localhost:3001'], logs: ['docker'] },
        webhooks: 1,
        contacts: ['On-Call Engineer'],
        waitSeconds: this.waitSeconds,
        notices: ['planned'],
        searchAttributes: false,
      }),
      runHook: ({ kind, index }) => this.#hook(kind, index),
      notifySystem: async ({ event, body }) => {
        this.told.push({ event, body });
      },
      undoSwap: async ({ service }) => {
        this.steps.push(`undo ${service}`);
        return { replaced: `${service}_db__old_2` };
      },
    };
  }

  #dumpActivities(): DumpActivities {
    const by = { argus: this.argus.activities(), hermes: this.hermes.activities() };
    const of = ({ service }: DumpRequest) => (service === 'argus' ? by.argus : by.hermes);
    return {
      chooseDump: (request) => of(request).chooseDump(request),
      proveDump: (input) => of(input.request).proveDump(input),
      surveyDatabase: (input) => of(input.request).surveyDatabase(input),
      loadDump: (input) => {
        this.steps.push(`load ${input.request.service}`);
        return of(input.request).loadDump(input);
      },
      verifyDump: (input) => of(input.request).verifyDump(input),
      swapDatabase: (input) => {
        this.steps.push(`swap ${input.request.service}`);
        return of(input.request).swapDatabase(input);
      },
      discardLoad: (request) => {
        this.steps.push(`discard ${request.service}`);
        return of(request).discardLoad(request);
      },
      dropOldDatabase: (old) => of(old.request).dropOldDatabase(old),
      recordDump: (input) => of(input.request).recordDump(input),
      nameHolder: async () => null,
    };
  }

  #planned(service: string, { restoreId }: SystemRequest, after: readonly string[]): PlannedDatabase {
    const server = `${restoreId}:5432`;
    // So that the workflow that drops the old one is over when the test is.
    const rest = { server, database: `${service}_db`, keepOldSeconds: 1 };
    const request = dumpRequest(restoreId, { service, ...rest });
    return { request, after, dump: dumpOf(3), rto: 60, rpo: this.rpo };
  }

  async #hook(kind: HookKind, index: number): Promise<void> {
    const step = `${kind}:${index + 1}`;
    this.steps.push(step);
    if (this.gated === step) await this.gate.opened;
    const failures = this.failures.get(step) ?? 0;
    if (failures === 0) return;
    this.failures.set(step, failures - 1);
    throw failureOf('StepFailed', 'It ended with code 1');
  }
}

/** The failure of a swap. */
export function swapFailure(): ApplicationFailure {
  return failureOf('TargetBusy', 'hermes_db: another database has taken its place meanwhile.');
}
