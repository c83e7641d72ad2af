import type { BundleSource } from '../contract/run-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type Bundle, type ModelFile, openBundle } from './bundle.ts';
import { type ObjectVersion, openObject, type ReadableStore, readVersion } from './stored-object.ts';

/** Milliseconds that a bundle stays open when nobody uses it. */
const keptFor = 30_000;

interface OpenedBundle {
  readonly bundle: Promise<Bundle>;
  users: number;
  /** Closes it once nobody has used it for long. */
  timer: NodeJS.Timeout | null;
}

/**
 * The bundles that the activities of a worker have open. A restore has one activity after another, and to open a
 * bundle of thousands of models takes half a second: they share what is opened, as long as the object is the same.
 */
export class OpenedBundles {
  readonly #store: ReadableStore;
  readonly #opened = new Map<string, OpenedBundle>();

  constructor(store: ReadableStore) {
    this.#store = store;
  }

  /**
   * Does something with the bundle that a request names.
   *
   * @param signal ends the action's reading, not that of others
   * @throws ThawError `InputInvalid` for what is no bundle, and of the store
   */
  async use<T>(
    source: BundleSource,
    signal: AbortSignal,
    action: (bundle: Bundle) => Promise<T>,
  ): Promise<T> {
    if (source.kind !== 'stored') {
      throw new ThawError('InputInvalid', 'A bundle at a URL has to be brought into the store first.', {
        object: 'source',
      });
    }
    const version = await readVersion(this.#store, source.key, signal);
    const name = `${version.etag}/${source.key}`;
    const opened = this.#opened.get(name) ?? this.#open(name, source.key, version);
    opened.users += 1;
    if (opened.timer !== null) clearTimeout(opened.timer);
    try {
      return await action(readUntil(await unlessAborted(opened.bundle, signal), signal));
    } finally {
      opened.users -= 1;
      if (opened.users === 0) opened.timer = setTimeout(() => this.#close(name), keptFor).unref();
    }
  }

  #open(name: string, key: string, version: ObjectVersion): OpenedBundle {
    const bundle = openBundle(openObject(this.#store, key, version));
    const opened: OpenedBundle = { bundle, users: 0, timer: null };
    this.#opened.set(name, opened);
    // One that could not be opened is not remembered.
    bundle.catch(() => this.#opened.delete(name));
    return opened;
  }

  #close(name: string): void {
    const opened = this.#opened.get(name);
    this.#opened.delete(name);
    void opened?.bundle.then((bundle) => bundle.close());
  }
}

/** The bundle, whose files are read until a signal comes. */
function readUntil(bundle: Bundle, signal: AbortSignal): Bundle {
  return {
    ...bundle,
    files: bundle.files.map((file) => ({ ...file, open: async () => chunksUntil(file, signal) })),
  };
}

async function* chunksUntil(file: ModelFile, signal: AbortSignal): AsyncGenerator<Buffer> {
  const chunks = (await unlessAborted(file.open(), signal))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await unlessAborted(chunks.next(), signal);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // What is still being read is not waited for.
    void chunks.return?.()?.then(
      () => {},
      () => {},
    );
  }
}

/** @throws the signal's reason, at once */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
