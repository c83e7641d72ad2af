/** What is to be told of a restore beside its outcome, each once. */
export class Notices {
  readonly #all: string[] = [];

  /** What was said before is not said again. */
  add(...notices: readonly string[]): void {
    this.#all.push(...notices.filter((notice) => !this.#all.includes(notice)));
  }

  /** In the order in which they came. */
  get all(): readonly string[] {
    return this.#all;
  }
}
