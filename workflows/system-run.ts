import { allHandlersFinished, condition, setHandler } from '@temporalio/workflow';
import { gateReachedSignal } from '../src/contract/messages.ts';
import type { SystemOutcome, SystemPlan, SystemProgress } from '../src/contract/system-activities.ts';
import type { SystemRequest } from '../src/contract/system-request.ts';
import { Notices } from '../src/restore/notices.ts';
import { describeSystem, dumpAge, objectiveOf, systemProgress } from '../src/restore/system-progress.ts';
import { Control, throwIfCancelled } from './control.ts';
import { toFailure } from './failures.ts';
import { PlannedRestore } from './planned-restore.ts';
import { swapBack } from './swap-back.ts';
import { SystemDatabaseRun } from './system-database.ts';
import { SystemServices } from './system-services.ts';
import { SystemSteps } from './system-steps.ts';
import { SystemWebhooks } from './system-webhooks.ts';
import { type SystemWork, systemWork } from './system-work.ts';

/** A restore of a system as it goes; each method is a step of the plan of `restoreSystem`. */
export class SystemRun extends PlannedRestore<SystemOutcome, SystemProgress> {
  readonly #request: SystemRequest;
  readonly #work: SystemWork;
  readonly #steps: SystemSteps;
  readonly #services: SystemServices;
  readonly #webhooks: SystemWebhooks;
  readonly #notices = new Notices();
  #plan: SystemPlan | null = null;
  #databases: readonly SystemDatabaseRun[] = [];
  #endedAt: number | null = null;
  protected readonly control = new Control(null, {
    state: () => this.state(),
    onPause: ({ reason, now }) => {
      for (const database of this.#databases) database.pause(reason, now);
    },
    onResume: () => {
      for (const database of this.#databases) database.resume();
    },
  });

  constructor(request: SystemRequest) {
    super();
    this.#request = request;
    this.#work = systemWork(request);
    this.#steps = new SystemSteps({
      waitSeconds: () => request.waitSeconds ?? this.#plan?.waitSeconds ?? 0,
      whenRunning: () => this.control.whenRunning(),
      changed: () => this.show(),
    });
    this.#services = new SystemServices(request, this.#work, this.#steps, this.#notices);
    this.#webhooks = new SystemWebhooks(request, this.#work, this.#notices);
  }

  override listen(): void {
    setHandler(gateReachedSignal, (reached) => {
      for (const database of this.#databases) database.reached(reached);
    });
    this.#steps.listen();
    super.listen();
  }

  async plan(): Promise<void> {
    const { restoreId, system } = this.#request;
    const plan = await this.#steps.do('plan', system, () => this.#work.planSystem(this.#request));
    if (plan === null) throw toFailure(noPlan);
    this.#plan = plan;
    this.#databases = plan.databases.map((planned, place) => new SystemDatabaseRun(planned, place + 1));
    this.#services.hooks = plan.hooks;
    this.#webhooks.count = plan.webhooks;
    this.#notices.add(...plan.notices);
    if (plan.searchAttributes) this.register({ restoreId, database: system });
    this.#webhooks.tell('planned', {
      notices: plan.notices,
      databases: plan.databases.map(({ request: { service }, dump, rpo }) => {
        const { met, measured } = objectiveOf(rpo, dumpAge({ dump }, this.startedAt.getTime()));
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
    this.phase = 'running';
    this.#webhooks.tell('started', { databases: this.#wanted.map(({ service }) => service) });
    await this.#services.stop();
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
    this.phase = 'finishing';
    await this.#services.start();
  }

  awaitHealth(): Promise<void> {
    return this.#services.awaitHealth();
  }

  readLogs(): Promise<void> {
    return this.#services.readLogs();
  }

  async finish(): Promise<void> {
    this.phase = this.cancelled ? 'cancelling' : 'finishing';
    if (this.endState() !== 'completed') await this.#giveUp();
    this.#endedAt = Date.now();
    const { state, error, contacts, databases } = this.tell();
    this.#webhooks.tell(state === 'completed' ? 'done' : 'failed', {
      ...{ state, error, contacts },
      databases: databases.map(({ service, live, dump, rto, rpo }) => ({
        ...{ service, live, dump: dump?.key ?? null, rto, rpo },
      })),
    });
    await this.#webhooks.settle();
    this.phase = this.endState();
    this.outcome = this.tell();
    this.show();
    await condition(allHandlersFinished);
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
    this.#notices.add(`${service} was left out as asked for: its old database stays.`);
    await database.abandon();
  }

  /** Puts everything back, as long as no service has begun to write into the new databases. */
  async #giveUp(): Promise<void> {
    this.#steps.abandon();
    this.control.paused = false;
    this.show();
    if (this.#services.mayHaveWritten) {
      this.#keepNew();
    } else {
      await Promise.all(this.#databases.map((database) => database.abandon()));
      await Promise.all(this.#databases.map((database) => swapBack(database, this.#work, this.#notices)));
    }
    await this.#services.startAgain();
  }

  #keepNew(): void {
    const swapped = this.#swapped.map(({ service }) => service);
    if (swapped.length === 0) return;
    this.#notices.add(
      `The services may have written into the new databases, so these stay: ${swapped.join(', ')}. ` +
        '`thaw swap-back` makes an old one live again.',
    );
  }

  #mayBegin({ plan }: SystemDatabaseRun): boolean {
    return this.#databases.every(
      ({ service, isVerified, isSkipped }) => !plan.after.includes(service) || isVerified || isSkipped,
    );
  }

  get #wanted(): readonly SystemDatabaseRun[] {
    return this.#databases.filter(({ isSkipped }) => !isSkipped);
  }

  get #swapped(): readonly SystemDatabaseRun[] {
    return this.#databases.filter(({ live }) => live === 'new');
  }

  protected tell(): SystemOutcome {
    const { restoreId, system } = this.#request;
    const { stoppedAt, wellAt } = this.#services;
    const startedAt = this.startedAt.getTime();
    const end = this.#endedAt ?? Date.now();
    const state = this.endState();
    return {
      ...{ restoreId, system, state },
      databases: this.#databases.map((database) => database.summary({ startedAt, stoppedAt, wellAt })),
      steps: this.#steps.all,
      downtimeSeconds: stoppedAt === null ? null : ((wellAt ?? end) - stoppedAt) / 1000,
      contacts: state === 'completed' ? [] : (this.#plan?.contacts ?? []),
      ...{ notices: this.#notices.all, error: this.error },
      seconds: (end - startedAt) / 1000,
    };
  }

  protected progress(): SystemProgress {
    const { restoreId, system } = this.#request;
    const { all: systemSteps, waiting } = this.#steps;
    const total = this.#plan === null ? null : this.#databases.length;
    return systemProgress(
      { restoreId, database: system, ...this.head() },
      {
        ...{ system, systemSteps, waiting, notices: this.#notices.all, outcome: this.outcome },
        swapped: { done: this.#swapped.length, total },
      },
      Date.now(),
    );
  }

  protected describe(progress: SystemProgress): string {
    return describeSystem(progress);
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
