/** Which step a workflow is at, and how long those before took. */
export class StepClock<Step extends string> {
  #step: Step;
  #since = Date.now();
  readonly #all: { readonly step: Step; seconds: number }[] = [];

  constructor(first: Step) {
    this.#step = first;
  }

  get step(): Step {
    return this.#step;
  }

  /** The steps that were left, in their order; one that was done several times running stands there once. */
  get all(): readonly { readonly step: Step; readonly seconds: number }[] {
    return this.#all;
  }

  /** Writes down how long the step before took. */
  enter(step: Step): void {
    const now = Date.now();
    const seconds = (now - this.#since) / 1000;
    const last = this.#all.at(-1);
    if (last?.step === this.#step) last.seconds += seconds;
    else this.#all.push({ step: this.#step, seconds });
    this.#step = step;
    this.#since = now;
  }
}
