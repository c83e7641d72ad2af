import { CancellationScope, condition, setHandler } from '@temporalio/workflow';
import { decideUpdate } from '../src/contract/messages.ts';
import type { TableError } from '../src/contract/outcome.ts';
import type { SystemStep } from '../src/contract/system-activities.ts';
import { type DecisionAction, decisionActions, type WaitingStep } from '../src/contract/system-request.ts';
import { summaryText } from '../src/restore/clip.ts';
import { toFailure, toTableError } from './failures.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What steps go by. */
export interface StepRules {
  /** Seconds that a failed step waits for an operator; 0: not at all. */
  waitSeconds(): number;
  /** Resolves when nothing is paused. */
  whenRunning(): Promise<void>;
  /** Called when a step has changed. */
  changed(): void;
}

/**
 * The steps of a restore of a system, and what operators say of those that fail.
 *
 *     running ──> done
 *     running ──> waiting ──> running (retry), skipped (skip), failed (abort, or nobody said anything in time)
 *     running, waiting ──> abandoned: it was given up with the whole restore
 */
export class SystemSteps {
  readonly #rules: StepRules;
  readonly #steps = new Map<string, Writable<SystemStep>>();
  readonly #waiting = new Map<string, Writable<WaitingStep> & { action: DecisionAction | null }>();
  /** How often what was under way was given up. */
  #abandoned = 0;

  constructor(rules: StepRules) {
    this.#rules = rules;
  }

  /** Sets the handler of decisions, which are refused unless their step waits for one. */
  listen(): void {
    setHandler(
      decideUpdate,
      ({ step, action }) => {
        const waiting = this.#waiting.get(step);
        if (waiting !== undefined) waiting.action = action;
      },
      {
        validator: ({ step, action }) => {
          if (!decisionActions.includes(action)) {
            throw new Error(`${action} is none of ${decisionActions.join(', ')}.`);
          }
          if (this.#waiting.get(step)?.action === null) return;
          const others = this.waiting.map((waiting) => waiting.step).join(', ');
          throw new Error(
            `Step ${step} waits for no decision; ${others === '' ? 'none does' : `these do: ${others}`}.`,
          );
        },
      },
    );
  }

  /**
   * Does a step, again where an operator says so.
   *
   * @returns null where it was skipped
   * @throws what it failed by, once nobody has it done again
   */
  async do<T>(step: string, what: string, work: () => Promise<T>): Promise<T | null> {
    const entry = this.#enter(step, what);
    const abandonedBefore = this.#abandoned;
    const isAbandoned = () => this.#abandoned > abandonedBefore;
    const begunAt = Date.now() - entry.seconds * 1000;
    const end = (state: SystemStep['state']) => {
      entry.state = state;
      entry.seconds = (Date.now() - begunAt) / 1000;
      this.#rules.changed();
    };
    for (;;) {
      try {
        await this.#rules.whenRunning();
        if (isAbandoned()) throw toFailure(givenUp);
        entry.state = 'running';
        entry.tries += 1;
        this.#rules.changed();
        const result = await work();
        entry.error = null;
        end('done');
        return result;
      } catch (error) {
        if (CancellationScope.current().consideredCancelled || isAbandoned()) {
          end('abandoned');
          throw error;
        }
        entry.error = toTableError(error);
        const action = await this.#decision(entry, end, isAbandoned);
        if (action === 'retry') continue;
        end(action === 'skip' ? 'skipped' : 'failed');
        if (action === 'skip') return null;
        throw toFailure(named(entry, entry.error));
      }
    }
  }

  /** Gives up all steps under way: they end by themselves, and nobody is asked what becomes of them. */
  abandon(): void {
    this.#abandoned += 1;
  }

  /** Whether that was ever done. */
  get isAbandoned(): boolean {
    return this.#abandoned > 0;
  }

  isDone(step: string): boolean {
    return this.#steps.get(step)?.state === 'done';
  }

  get all(): readonly SystemStep[] {
    return [...this.#steps.values()].map((step) => ({ ...step }));
  }

  get waiting(): readonly WaitingStep[] {
    return [...this.#waiting.values()].map(({ step, error, until }) => ({ step, error, until }));
  }

  #enter(step: string, what: string): Writable<SystemStep> {
    const entry = this.#steps.get(step) ?? {
      step,
      what,
      state: 'running',
      seconds: 0,
      tries: 0,
      error: null,
    };
    this.#steps.set(step, entry);
    return entry;
  }

  /** What an operator says of a failed step; `abort` where nobody does in time. */
  async #decision(
    entry: Writable<SystemStep>,
    end: (state: SystemStep['state']) => void,
    isAbandoned: () => boolean,
  ): Promise<DecisionAction> {
    const { step, error } = entry;
    const seconds = this.#rules.waitSeconds();
    if (seconds === 0 || error === null) return 'abort';
    const until = new Date(Date.now() + seconds * 1000).toISOString();
    const waiting: Writable<WaitingStep> & { action: DecisionAction | null } = {
      ...{ step, error, until },
      action: null,
    };
    this.#waiting.set(step, waiting);
    end('waiting');
    try {
      await condition(() => waiting.action !== null || isAbandoned(), seconds * 1000, {
        summary: summaryText(`for a decision about ${step}`),
      });
    } catch (cancelled) {
      end('abandoned');
      throw cancelled;
    } finally {
      this.#waiting.delete(step);
    }
    return waiting.action ?? 'abort';
  }
}

const givenUp = {
  code: 'StepFailed',
  message: 'The restore was given up before this step.',
  hint: 'Restore again.',
} as const;

/** An error that says which step it is of. */
function named({ step, what }: SystemStep, error: TableError): TableError {
  return { ...error, message: `${step} (${what}): ${error.message}` };
}
