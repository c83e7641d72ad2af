import { setCurrentDetails, setHandler } from '@temporalio/workflow';
import { progressQuery } from '../src/contract/messages.ts';
import type { TableError } from '../src/contract/outcome.ts';
import type { RestoreProgress, RestoreState } from '../src/contract/progress.ts';
import type { RestoreHead } from '../src/restore/progress.ts';
import { type EndedRun, endState, endWith, type PlannedRun } from './carry-out.ts';
import { toTableError } from './failures.ts';
import { SearchState, type SearchTerms } from './search-attributes.ts';

/** What users ask of a restore: `Control` itself, or steps that go by it. */
interface UserControl {
  readonly reason: string | null;
  stateIn(phase: RestoreState): RestoreState;
  listen(changed: () => void): void;
}

/**
 * What every restore knows of itself that is carried out by a plan, tells whoever asks and shows in the Temporal UI.
 * Each kind adds the steps of its plan.
 */
export abstract class PlannedRestore<Outcome extends EndedRun, Progress extends RestoreProgress>
  implements PlannedRun
{
  cancelled = false;
  protected error: TableError | null = null;
  /** Where it is, whatever users ask of it meanwhile. */
  protected phase: RestoreState = 'planning';
  protected readonly startedAt = new Date();
  /** Null until it has ended. */
  protected outcome: Outcome | null = null;
  readonly #searchState = new SearchState(false, null);
  protected abstract readonly control: UserControl;

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.progress());
    this.control.listen(() => this.show());
    this.show();
  }

  fail(error: unknown): void {
    this.error = toTableError(error);
  }

  abstract finish(): Promise<void>;

  /** Gives the outcome, or throws so that Temporal shows the restore as cancelled or failed. */
  end(): Outcome {
    return endWith(this.outcome ?? this.tell());
  }

  /** The outcome, as far as there is one. */
  protected abstract tell(): Outcome;

  protected abstract progress(): Progress;

  /** What the Temporal UI shows, in Markdown. */
  protected abstract describe(progress: Progress): string;

  /** The state that is shown. */
  protected state(): RestoreState {
    return this.control.stateIn(this.phase);
  }

  /** How it has ended, or would end now. */
  protected endState(): 'completed' | 'failed' | 'cancelled' {
    return endState(this.cancelled, this.error);
  }

  /** What all progress begins with. */
  protected head(): Pick<RestoreHead, 'state' | 'reason' | 'startedAt'> {
    return { state: this.state(), reason: this.control.reason, startedAt: this.startedAt.toISOString() };
  }

  /** Lets the restore be searched for. */
  protected register({ restoreId, database }: Pick<SearchTerms, 'restoreId' | 'database'>): void {
    this.#searchState.register({ restoreId, database, state: this.state() });
  }

  /** Tells everybody who looks: the Temporal UI and its search. */
  protected show(): void {
    const progress = this.progress();
    setCurrentDetails(this.describe(progress));
    this.#searchState.set(progress.state);
  }
}
