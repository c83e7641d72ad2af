import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { gateReachedSignal, progressQuery } from '../src/contract/messages.ts';
import type { TableError } from '../src/contract/outcome.ts';
import { isEnded, type RestoreState } from '../src/contract/progress.ts';
import type {
  SystemActivities,
  SystemDatabase,
  SystemOutcome,
  SystemPlan,
  SystemProgress,
} from '../src/contract/system-activities.ts';
import type { HookKind, SystemEvent, SystemRequest } from '../src/contract/system-request.ts';
import { describeSystem, dumpAge, objectiveOf, systemProgress } from '../src/restore/system-progress.ts';
import { carryOut, endState, endWith } from './carry-out.ts';
import { Control, throwIfCancelled } from './control.ts';
import { toFailure, toTableError } from './failures.ts';
import { SearchState } from './search-attributes.ts';
import { SystemDatabaseRun } from './system-database.ts';
import { SystemSteps } from './system-steps.ts';

/** The work besides that on dumps, which children do. */
function activitiesOf({ heartbeatSeconds = 20 }: SystemRequest) {
  const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;
  const long = {
    // How long each may take is said in `system.yaml`.
    startToCloseTimeout: '30d',
    heartbeatTimeout: heartbeatSeconds * 1000,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  } as const;
  const { planSystem } = proxyActivities<SystemActivities>({
    ...long,
    scheduleToCloseTimeout: '10 minutes',
    retry,
  });
  const { runHook } = proxyActivities<SystemActivities>({ ...long, retry: { ...retry, maximumAttempts: 3 } });
  const { undoSwap, dropOldDatabase } = proxyActivities<SystemActivities & DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 30 },
  });
  const { notifySystem } = proxyActivities<SystemActivities>({
    startToCloseTimeout: '30s',
    // A restore does not end before its last messages were sent or given up.
    scheduleToCloseTimeout: '1 minute',
    retry,
  });
  return { planSystem, runHook, undoSwap, dropOldDatabase, notifySystem };
}

/**
 * Restores all databases of a system from their dumps, or none.
 *
 *     plan ──> prove ──> stop ──> restore ──> swap ──> start ──> health ──> logs ──> finish
 *
 * plan     reads the worker's own system.yaml, and finds the dumps; one that is too old is told of.
 * prove    a child workflow for each database reads its dump to its end, and surveys its database.
 * stop     stops the services, one step after another. Nothing was touched up to here.
 * restore  the children load beside the live databases, and verify; as `after` says, otherwise at once.
 * swap     entered when all are verified. Where one fails, those that were swapped are swapped back.
 * start    starts the services. Their writes are in the new databases from here on, which stay whatever comes.
 * health   waits for the URLs.
 * logs     reads what the services have logged.
 * finish   entered by an error or a cancel too: until start, it gives the children up, swaps back, and starts
 *          the services that were stopped on the old databases.
 *
 * A step that fails waits for the decision of an operator, where system.yaml or the request says how long. A pause
 * takes hold before the next step, and reaches the children.
 */
export async function restoreSystem(request: SystemRequest): Promise<SystemOutcome> {
  const system = new SystemRun(request);
  system.listen();
  await carryOut(system, async () => {
    // Know what there is to do, and see that it can be done.
    await system.plan();
    await system.prove();
    // Keep the services from writing.
    await system.stop();
    // Load everything, then change it all at once.
    await system.restore();
    await system.swap();
    // Let the services go on, and see that they do.
    await system.start();
    await system.hooks('health');
    await system.hooks('logs');
  });
  return system.end();
}

/** The state of {@link restoreSystem}; each method is a step of its plan. */
class SystemRun {
  cancelled = false;
  #error: TableError | null = null;
  readonly #request: SystemRequest;
  readonly #activities: ReturnType<typeof activitiesOf>;
  readonly #control: Control;
  readonly #steps: SystemSteps;
  readonly #searchState = new SearchState(false, null);
  readonly #startedAt = Date.now();
  #stoppedAt: number | null = null;
  #startBegun = false;
  #wellAt: number | null = null;
  #endedAt: number | null = null;
  #phase: RestoreState = 'planning';
  #plan: SystemPlan | null = null;
  #databases: readonly SystemDatabaseRun[] = [];
  /** Messages to webhooks, one after another. */
  #told: Promise<void> = Promise.resolve();
  readonly #notices: string[] = [];
  #outcome: SystemOutcome | null = null;

  constructor(request: SystemRequest) {
    this.#request = request;
    this.#activities = activitiesOf(request);
    this.#control = new Control(null, {
      state: () => this.#state(),
      onPause: ({ reason, now }) => {
        for (const database of this.#databases) database.pause(reason, now);
      },
      onResume: () => {
        for (const database of this.#databases) database.resume();
      },
    });
    this.#steps = new SystemSteps({
      waitSeconds: () => request.waitSeconds ?? this.#plan?.waitSeconds ?? 0,
      whenRunning: () => this.#control.whenRunning(),
      changed: () => this.#show(),
    });
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    setHandler(gateReachedSignal, (reached) => {
      for (const database of this.#databases) database.reached(reached);
    });
    this.#steps.listen();
    this.#control.listen(() => this.#show());
    this.#show();
  }

  async plan(): Promise<void> {
    const { restoreId, system } = this.#request;
    const plan = await this.#steps.do('plan', system, () => this.#activities.planSystem(this.#request));
    if (plan === null) throw toFailure(noPlan);
    this.#plan = plan;
    this.#databases = plan.databases.map((planned, place) => new SystemDatabaseRun(planned, place + 1));
    this.#notices.push(...plan.notices);
    if (plan.searchAttributes) {
      this.#searchState.register({ restoreId, database: system, state: this.#state() });
    }
    this.#tell('planned', {
      notices: plan.notices,
      databases: plan.databases.map(({ request: { service }, dump, rpo }) => {
        const { met, measured } = objectiveOf(rpo, dumpAge({ dump }, this.#startedAt));
        return { service, dump: dump.key, ageSeconds: measured, rpoSeconds: rpo, rpoMet: met };
      }),
    });
  }

  async prove(): Promise<void> {
    await Promise.all(
      this.#databases.map((database) => this.#do('prove', database, () => database.advance('load'))),
    );
  }

  async stop(): Promise<void> {
    await throwIfCancelled();
    this.#phase = 'running';
    this.#tell('started', { databases: this.#wanted.map(({ service }) => service) });
    if (this.#hookNames('stop').length > 0) this.#stoppedAt = Date.now();
    await this.hooks('stop');
  }

  async restore(): Promise<void> {
    await Promise.all(
      this.#wanted.map(async (database) => {
        await condition(() => this.#steps.isAbandoned || this.#mayBegin(database));
        if (this.#steps.isAbandoned) return;
        await this.#do('restore', database, () => database.advance('swap'));
      }),
    );
  }

  async swap(): Promise<void> {
    if (this.#wanted.length === 0) throw toFailure(nothingLeft);
    // All of them again: one that an operator has done again meanwhile is verified, too.
    await Promise.all(
      this.#wanted.map((database) => this.#do('swap', database, () => database.advance('end'))),
    );
  }

  async start(): Promise<void> {
    await throwIfCancelled();
    this.#phase = 'finishing';
    this.#startBegun = true;
    await this.hooks('start');
  }

  /** Does all hooks of a kind that are not done yet, in their order. */
  async hooks(kind: HookKind): Promise<void> {
    for (const [index, name] of this.#hookNames(kind).entries()) {
      const step = `${kind}:${index + 1}`;
      if (this.#steps.isDone(step)) continue;
      await this.#steps.do(step, name, () =>
        this.#activities.runHook({ request: this.#request, kind, index }),
      );
    }
    if (kind === 'health') this.#wellAt = Date.now();
  }

  fail(error: unknown): void {
    this.#error = toTableError(error);
  }

  async finish(): Promise<void> {
    this.#phase = this.cancelled ? 'cancelling' : 'finishing';
    if (this.#endState() !== 'completed') await this.#giveUp();
    this.#endedAt = Date.now();
    const outcome = this.#summary();
    this.#tell(outcome.state === 'completed' ? 'done' : 'failed', {
      state: outcome.state,
      error: outcome.error,
      contacts: outcome.contacts,
      databases: outcome.databases.map(({ service, live, dump, rto, rpo }) => ({
        ...{ service, live, dump: dump?.key ?? null, rto, rpo },
      })),
    });
    await this.#told;
    this.#phase = this.#endState();
    this.#outcome = this.#summary();
    this.#show();
    await condition(allHandlersFinished);
  }

  /** Gives the outcome, or throws so that Temporal shows the restore as cancelled or failed. */
  end(): SystemOutcome {
    return endWith(this.#outcome ?? this.#summary());
  }

  /** A step of one database, which an operator may leave out. */
  async #do(kind: string, database: SystemDatabaseRun, work: () => Promise<void>): Promise<void> {
    if (database.isSkipped) return;
    const { service, plan } = database;
    const done = await this.#steps.do(`${kind}:${service}`, plan.dump.key, async () => {
      await work();
      return true;
    });
    if (done !== null) return;
    database.isSkipped = true;
    this.#notices.push(`${service} was left out as asked for: its old database stays.`);
    await database.abandon();
  }

  /** Puts everything back, as long as no service has begun to write into the new databases. */
  async #giveUp(): Promise<void> {
    this.#steps.abandon();
    this.#control.paused = false;
    this.#show();
    if (this.#startBegun) {
      const swapped = this.#databases.filter(({ live }) => live === 'new').map(({ service }) => service);
      if (swapped.length > 0) {
        this.#notices.push(
          `The services may have written into the new databases, so these stay: ${swapped.join(', ')}. ` +
            '`thaw swap-back` makes an old one live again.',
        );
      }
    } else {
      await Promise.all(this.#databases.map((database) => database.abandon()));
      await Promise.all(this.#databases.map((database) => this.#undo(database)));
    }
    if (this.#stoppedAt === null && !this.#startBegun) return;
    await this.#startAgain();
  }

  /** Starts what is not started yet, all of it, and sees whether it is well. */
  async #startAgain(): Promise<void> {
    for (const [index, name] of this.#hookNames('start').entries()) {
      const step = `start:${index + 1}`;
      if (this.#steps.isDone(step)) continue;
      await this.#tryHook(step, name, 'start', index);
    }
    // What the restore failed by need not be asked again.
    if (this.#startBegun) return;
    for (const [index, name] of this.#hookNames('health').entries()) {
      await this.#tryHook(`health:${index + 1}`, name, 'health', index);
    }
    this.#wellAt = Date.now();
  }

  async #tryHook(step: string, name: string, kind: HookKind, index: number): Promise<void> {
    try {
      await this.#steps.do(step, name, () =>
        this.#activities.runHook({ request: this.#request, kind, index }),
      );
    } catch (error) {
      this.#notices.push(`After the restore was given up: ${toTableError(error).message}`);
    }
  }

  /** Makes the old database live again. */
  async #undo(database: SystemDatabaseRun): Promise<void> {
    const { live, request, outcome, service } = database;
    if (outcome !== null && outcome.state !== 'completed') database.leftBehind = outcome.leftBehind;
    // One that was cancelled while it was swapped has told so by its end.
    const isSwapped = live === 'new' || outcome?.state === 'completed';
    if (!isSwapped || request === null || outcome === null) return;
    if (outcome.old === null) {
      database.live = 'new';
      this.#notices.push(`${service} had no database before: the new one stays.`);
      return;
    }
    try {
      const { replaced } = await this.#activities.undoSwap(request);
      database.live = 'old';
      this.#notices.push(`${service} was swapped back.`);
      if (replaced !== null) await this.#dropReplaced(database, request, replaced);
    } catch (error) {
      database.live = 'unknown';
      this.#notices.push(
        `${service} could not be swapped back (${toTableError(error).message}): do it by \`thaw swap-back ${service}\`.`,
      );
    }
  }

  /** Drops the database that was live for a moment. */
  async #dropReplaced(database: SystemDatabaseRun, request: DumpRequest, name: string): Promise<void> {
    try {
      const dropAt = new Date().toISOString();
      await this.#activities.dropOldDatabase({ request, name, dropAt });
    } catch (error) {
      database.leftBehind = [name];
      this.#notices.push(`${name} could not be dropped: ${toTableError(error).message}`);
    }
  }

  /** Sends an event to all webhooks, after those before; what hinders that hinders nothing else. */
  #tell(event: SystemEvent, body: Readonly<Record<string, unknown>>): void {
    const { webhooks = 0 } = this.#plan ?? {};
    const { restoreId, system } = this.#request;
    const all = { restoreId, system, at: new Date().toISOString(), ...body };
    this.#told = CancellationScope.nonCancellable(async () => {
      await this.#told;
      await Promise.all(
        Array.from({ length: webhooks }, async (_, webhook) => {
          try {
            await this.#activities.notifySystem({ request: this.#request, webhook, event, body: all });
          } catch (error) {
            this.#notices.push(
              `Webhook ${webhook + 1} was not told of "${event}": ${toTableError(error).message}`,
            );
          }
        }),
      );
    });
  }

  #mayBegin({ plan }: SystemDatabaseRun): boolean {
    return this.#databases.every(
      ({ service, isVerified, isSkipped }) => !plan.after.includes(service) || isVerified || isSkipped,
    );
  }

  get #wanted(): readonly SystemDatabaseRun[] {
    return this.#databases.filter(({ isSkipped }) => !isSkipped);
  }

  #hookNames(kind: HookKind): readonly string[] {
    return this.#plan?.hooks[kind] ?? [];
  }

  #state(): RestoreState {
    const isActive = this.#phase === 'planning' || this.#phase === 'running';
    return isActive && this.#control.paused ? 'paused' : this.#phase;
  }

  #endState(): SystemOutcome['state'] {
    return endState(this.cancelled, this.#error);
  }

  #summary(): SystemOutcome {
    const { restoreId, system } = this.#request;
    const end = this.#endedAt ?? Date.now();
    return {
      ...{ restoreId, system },
      state: this.#endState(),
      databases: this.#databases.map((database) => this.#summaryOf(database)),
      steps: this.#steps.all,
      downtimeSeconds: this.#stoppedAt === null ? null : ((this.#wellAt ?? end) - this.#stoppedAt) / 1000,
      contacts: this.#endState() === 'completed' ? [] : (this.#plan?.contacts ?? []),
      notices: this.#notices,
      error: this.#error,
      seconds: (end - this.#startedAt) / 1000,
    };
  }

  #summaryOf(database: SystemDatabaseRun): SystemDatabase {
    const { plan, service, request, outcome, error, live, leftBehind, isSkipped } = database;
    const isRestored = live === 'new' && !isSkipped && this.#wellAt !== null;
    const rto = isRestored && this.#wellAt !== null ? (this.#wellAt - this.#startedAt) / 1000 : null;
    const dump = outcome?.dump ?? plan.dump;
    const lost = dumpAge({ dump }, this.#stoppedAt ?? this.#startedAt);
    return {
      ...{ service, database: plan.request.database, restoreId: request?.restoreId ?? null },
      ...{ live, dump, leftBehind, error },
      verified: outcome?.report?.outcome ?? null,
      rows: outcome?.report?.after.rows ?? null,
      rto: objectiveOf(plan.rto, rto),
      rpo: objectiveOf(plan.rpo, lost),
      old: live === 'new' ? (outcome?.old ?? null) : null,
    };
  }

  #progress(): SystemProgress {
    const { restoreId, system } = this.#request;
    const state = this.#state();
    return systemProgress(
      {
        ...{ restoreId, database: system, state, reason: this.#control.reason },
        startedAt: new Date(this.#startedAt).toISOString(),
      },
      {
        system,
        systemSteps: this.#steps.all,
        waiting: this.#steps.waiting,
        notices: this.#notices,
        outcome: this.#outcome,
        swapped: {
          done: this.#databases.filter(({ live }) => live === 'new').length,
          total: this.#plan === null ? null : this.#databases.length,
        },
      },
      Date.now(),
    );
  }

  #show(): void {
    const progress = this.#progress();
    setCurrentDetails(describeSystem(progress));
    if (!isEnded(progress.state) || this.#outcome !== null) this.#searchState.set(progress.state);
  }
}

const noPlan = {
  code: 'InputInvalid',
  message: 'Without a plan there is nothing to restore.',
  hint: 'Retry or abort the step.',
} as const;

const nothingLeft = {
  code: 'StepFailed',
  message: 'Every database was left out: there is nothing to restore.',
  hint: 'Correct what the steps failed by, then restore again.',
} as const;
