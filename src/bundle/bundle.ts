import { createHash } from 'node:crypto';
import type { BundleEntry } from './bundle-entry.ts';
import { badBundle } from './bundle-error.ts';
import { type BundleDescription, longestDescription, parseDescription } from './describe.ts';
import { type BundleManifest, parseManifest } from './manifest.ts';
import { isModelName, modelNameHint } from './model-name.ts';
import type { RandomAccess } from './random-access.ts';
import { openZip, type ZipLimits } from './zip.ts';

/** The records of one model. */
export interface ModelFile {
  readonly model: string;
  /** `{model}.jsonl` */
  readonly name: string;
  /** Bytes, decompressed. */
  readonly bytes: number;
  /** By the manifest, lower-case hex; null where it says none. */
  readonly sha256: string | null;
  /** By the manifest. */
  readonly records: number | null;
  /** Its bytes; size and CRC-32, and the manifest's SHA-256, are checked at the end. @throws ThawError `InputInvalid` */
  open(): Promise<AsyncIterable<Buffer>>;
}

/** A bundle that was opened: nothing of its data has been read. */
export interface Bundle {
  /** Parses `describe.yaml`, which takes seconds for thousands of models; null where there is none. @throws ThawError `InputInvalid` */
  readDescription(): Promise<BundleDescription | null>;
  readonly manifest: BundleManifest | null;
  /** In the order of their names. */
  readonly files: readonly ModelFile[];
  close(): Promise<void>;
}

const describeName = 'describe.yaml';
const manifestName = 'manifest.json';
const longestManifest = 16 * 1024 * 1024;

/**
 * Opens a bundle: a ZIP with `describe.yaml`, `manifest.json` and a `{model}.jsonl` for each model, at its root
 * or in one common folder. Description and manifest are optional; other files are passed over.
 *
 * @throws ThawError `InputInvalid` for what is no such ZIP; what the source raises
 */
export async function openBundle(source: RandomAccess, limits?: ZipLimits): Promise<Bundle> {
  try {
    const { entries } = await openZip(source, limits);
    return await readBundle(entries, () => source.close());
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readBundle(all: readonly BundleEntry[], close: () => Promise<void>): Promise<Bundle> {
  // What a Mac puts beside the files when it packs a folder.
  const entries = all.filter(({ name }) => !name.startsWith('__MACOSX/'));
  const root = commonFolder(entries);
  const byName = new Map(entries.map((entry) => [entry.name.slice(root.length), entry]));
  const manifest = await readEntry(byName.get(manifestName), longestManifest);
  const parsed = manifest === null ? null : parseManifest(manifest.text);
  const description = await readEntry(byName.get(describeName), longestDescription);
  verifyWhole(description, parsed);
  const files = [...byName].flatMap(([name, entry]) => modelFile(name, entry, parsed) ?? []);
  refuseMissing(parsed, byName);
  if (files.length === 0 && description === null) {
    throw badBundle('it holds neither describe.yaml nor {model}.jsonl', 'Send the ZIP of an extract.');
  }
  return {
    readDescription: async () => (description === null ? null : readOnce(description)),
    manifest: parsed,
    files: files.sort((a, b) => (a.name < b.name ? -1 : 1)),
    close,
  };
}

const descriptions = new WeakMap<WholeEntry, WeakRef<BundleDescription>>();

/** That of thousands of models is large, and soon done with: it is remembered as long as there is room. */
async function readOnce(description: WholeEntry): Promise<BundleDescription> {
  const known = descriptions.get(description)?.deref();
  if (known !== undefined) return known;
  const read = await parseDescription(description.text);
  descriptions.set(description, new WeakRef(read));
  return read;
}

/** The folder that all entries lie in, with its slash; empty where they lie at the root. */
function commonFolder(entries: readonly BundleEntry[]): string {
  const [first] = entries;
  const slash = first?.name.indexOf('/') ?? -1;
  if (first === undefined || slash === -1) return '';
  const folder = first.name.slice(0, slash + 1);
  return entries.every(({ name }) => name.startsWith(folder)) ? folder : '';
}

function modelFile(name: string, entry: BundleEntry, manifest: BundleManifest | null): ModelFile | null {
  if (!name.endsWith('.jsonl') || name.includes('/')) return null;
  const model = name.slice(0, -'.jsonl'.length);
  if (!isModelName(model)) {
    throw badBundle(`${JSON.stringify(name.slice(0, 80))} is no name of a model`, modelNameHint);
  }
  const said = manifest?.files.get(name);
  const sha256 = said?.sha256 ?? null;
  return {
    model,
    name,
    bytes: entry.bytes,
    sha256,
    records: said?.records ?? null,
    open: async () => verified(await entry.open(), name, sha256),
  };
}

/** Gives the bytes on, and compares them with the manifest when all have come. */
async function* verified(
  chunks: AsyncIterable<Buffer>,
  name: string,
  sha256: string | null,
): AsyncGenerator<Buffer> {
  const digest = sha256 === null ? null : createHash('sha256');
  for await (const chunk of chunks) {
    digest?.update(chunk);
    yield chunk;
  }
  if (digest !== null && digest.digest('hex') !== sha256) throw otherChecksum(name);
}

interface WholeEntry {
  readonly text: string;
  readonly sha256: string;
}

async function readEntry(entry: BundleEntry | undefined, longest: number): Promise<WholeEntry | null> {
  if (entry === undefined) return null;
  if (entry.bytes > longest) throw badBundle(`${entry.name.slice(0, 80)} is larger than ${longest} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of await entry.open()) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return { text: bytes.toString('utf8'), sha256: createHash('sha256').update(bytes).digest('hex') };
}

function verifyWhole(description: WholeEntry | null, manifest: BundleManifest | null): void {
  const said = manifest?.files.get(describeName)?.sha256 ?? null;
  if (description !== null && said !== null && description.sha256 !== said) throw otherChecksum(describeName);
}

/** A file that the manifest names and the ZIP does not have was lost on the way. */
function refuseMissing(manifest: BundleManifest | null, byName: ReadonlyMap<string, BundleEntry>): void {
  for (const name of manifest?.files.keys() ?? []) {
    if (!byName.has(name))
      throw badBundle(`manifest.json names ${JSON.stringify(name.slice(0, 80))}, which is not there`);
  }
}

function otherChecksum(name: string): Error {
  return badBundle(`${name} is not what manifest.json says: its SHA-256 is another`);
}
