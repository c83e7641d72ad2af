import type { SystemPlan } from '../src/contract/system-activities.ts';
import type { HookKind, SystemRequest } from '../src/contract/system-request.ts';
import type { Notices } from '../src/restore/notices.ts';
import { toTableError } from './failures.ts';
import type { SystemSteps } from './system-steps.ts';
import type { SystemWork } from './system-work.ts';

/**
 * The services of a system, by the hooks of its `system.yaml`; each hook is a step of the restore.
 *
 *     running ──> stopped ──> starting ──> well
 *
 * stopped   as far as they can be: a system need not have hooks.
 * starting  from here on they may write into the databases that are live then.
 * well      all health checks were passed, or gone through after a restore was given up.
 */
export class SystemServices {
  /** Names of the hooks, which the plan tells. */
  hooks: SystemPlan['hooks'] = { stop: [], start: [], health: [], logs: [] };
  readonly #request: SystemRequest;
  readonly #work: SystemWork;
  readonly #steps: SystemSteps;
  readonly #notices: Notices;
  #stoppedAt: number | null = null;
  #startBegun = false;
  #wellAt: number | null = null;

  constructor(request: SystemRequest, work: SystemWork, steps: SystemSteps, notices: Notices) {
    this.#request = request;
    this.#work = work;
    this.#steps = steps;
    this.#notices = notices;
  }

  /** When the first was told to stop, in milliseconds since the epoch; null: none was. */
  get stoppedAt(): number | null {
    return this.#stoppedAt;
  }

  /** They may have written into the databases that are live. */
  get mayHaveWritten(): boolean {
    return this.#startBegun;
  }

  /** Milliseconds since the epoch; null until then. */
  get wellAt(): number | null {
    return this.#wellAt;
  }

  async stop(): Promise<void> {
    if (this.hooks.stop.length > 0) this.#stoppedAt = Date.now();
    await this.#run('stop');
  }

  async start(): Promise<void> {
    this.#startBegun = true;
    await this.#run('start');
  }

  async awaitHealth(): Promise<void> {
    await this.#run('health');
    this.#wellAt = Date.now();
  }

  async readLogs(): Promise<void> {
    await this.#run('logs');
  }

  /** After the restore was given up: starts what is not started yet, all of it, and sees whether it is well. */
  async startAgain(): Promise<void> {
    if (this.#stoppedAt === null && !this.#startBegun) return;
    await this.#tryAll('start');
    // What the restore failed by need not be asked again.
    if (this.#startBegun) return;
    await this.#tryAll('health');
    this.#wellAt = Date.now();
  }

  /** Does all hooks of a kind that are not done yet, in their order. */
  async #run(kind: HookKind): Promise<void> {
    for (const [index, name] of this.hooks[kind].entries()) await this.#hook(kind, index, name);
  }

  /** The same, whatever any of them fails by. */
  async #tryAll(kind: HookKind): Promise<void> {
    for (const [index, name] of this.hooks[kind].entries()) {
      try {
        await this.#hook(kind, index, name);
      } catch (error) {
        this.#notices.add(`After the restore was given up: ${toTableError(error).message}`);
      }
    }
  }

  async #hook(kind: HookKind, index: number, name: string): Promise<void> {
    const step = `${kind}:${index + 1}`;
    if (this.#steps.isDone(step)) return;
    await this.#steps.do(step, name, () => this.#work.runHook({ request: this.#request, kind, index }));
  }
}
