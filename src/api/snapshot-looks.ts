import type { SnapshotPreview } from '../contract/snapshot-preview.ts';
import type { SnapshotValidation } from '../contract/snapshot-validation.ts';
import { differenceLine, headerLine } from '../snapshot/merge/difference-file.ts';
import type { PreviewOptions } from '../snapshot/merge/preview-tables.ts';
import type { ValidateJob } from '../snapshot/validate/validate-snapshot.ts';
import { ApiError } from './api-error.ts';
import type { SnapshotChoice } from './snapshot-choices.ts';
import type { SnapshotTools } from './snapshot-tools.ts';

/** Looks of one tenant that this process has under way at the same time: each holds sessions and a stage. */
const together = 2;

/** Milliseconds that whoever reads a diff may take for the next piece of it. */
const patience = 60_000;

/** Looks at snapshots and their tables in this process; all of it ends with the signal, and nothing is left of it. */
export class SnapshotLooks {
  readonly #tools: Pick<SnapshotTools, 'preview' | 'validate' | 'diff'>;
  readonly #underWay = new Map<string, number>();

  constructor(tools: Pick<SnapshotTools, 'preview' | 'validate' | 'diff'>) {
    this.#tools = tools;
  }

  /**
   * Tells what a restore would do.
   *
   * @param tenant who is asking
   * @throws ApiError `TOO_MANY_REQUESTS` while the tenant has two looks under way
   * @throws ThawError what would end the restore before it merges
   */
  async preview(
    tenant: string,
    choice: SnapshotChoice,
    options: Omit<PreviewOptions, 'chosen'> & { readonly selection?: string | null },
    signal: AbortSignal,
  ): Promise<SnapshotPreview> {
    return this.#look(tenant, () => this.#tools.preview(choice, options, signal));
  }

  /**
   * Tells whether a snapshot can be restored.
   *
   * @throws what {@link preview} throws
   */
  async validate(
    tenant: string,
    choice: SnapshotChoice,
    options: Pick<ValidateJob, 'again' | 'quick'>,
    signal: AbortSignal,
  ): Promise<SnapshotValidation> {
    return this.#look(tenant, () => this.#tools.validate(choice, options, signal));
  }

  /**
   * Gives every difference as lines of JSON, as fast as they are read. One that cannot be gone on with breaks off, so
   * that it cannot be taken for a whole one.
   *
   * @returns once the first line is there
   * @throws what {@link preview} throws
   */
  async diff(
    tenant: string,
    choice: SnapshotChoice,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const release = this.#begin(tenant);
    const gone = new AbortController();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    // Whoever reads has gone away.
    writer.closed.catch((error: unknown) => gone.abort(error));
    const write = async (text: string) => {
      const timer = setTimeout(() => gone.abort(new Error('nobody reads the diff')), patience);
      try {
        await writer.write(Buffer.from(text));
      } finally {
        clearTimeout(timer);
      }
    };
    const { source, database, tenant: part } = choice;
    let begin: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const done = this.#tools
      .diff(
        choice,
        {
          onToken: async (ifUnchanged) => {
            begin();
            await write(headerLine({ source, database, tenant: part, ifUnchanged }));
          },
          onDifferences: (some) => write(some.map((difference) => differenceLine(difference)).join('')),
        },
        AbortSignal.any([signal, gone.signal]),
      )
      .finally(release);
    done.then(
      () => writer.close().catch(() => {}),
      (error: unknown) => writer.abort(error).catch(() => {}),
    );
    await Promise.race([begun, done]);
    return readable;
  }

  async #look<Result>(tenant: string, look: () => Promise<Result>): Promise<Result> {
    const release = this.#begin(tenant);
    try {
      return await look();
    } finally {
      release();
    }
  }

  #begin(tenant: string): () => void {
    const count = this.#underWay.get(tenant) ?? 0;
    if (count >= together) {
      throw new ApiError('TOO_MANY_REQUESTS', `${together} looks at snapshots are under way already.`, {
        hint: 'Ask again once one of them has ended.',
        headers: { 'Retry-After': '5' },
      });
    }
    this.#underWay.set(tenant, count + 1);
    return () => {
      const left = (this.#underWay.get(tenant) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(tenant);
      else this.#underWay.set(tenant, left);
    };
  }
}
