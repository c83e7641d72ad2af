import type { TocEntry } from './toc.ts';

const entry =
  /^ (?:Data for |Statistics for )?Name: (.*); Type: (.*); Schema: (.*?); Owner: (.*?)(?:; Tablespace: .*)?$/;

/** What the comments of a plain dump tell: versions, its objects, and where it ends. */
export class PlainComments {
  serverVersion: string | null = null;
  dumpVersion: string | null = null;
  readonly toc: TocEntry[] = [];
  /** Parts of the dump that have begun and not ended; what pg_dumpall writes has one for each database in its own. */
  readonly #open: string[] = [];
  #hasEnded = false;
  /** Of the object that is announced next; only pg_restore and pg_dump with --verbose tell it. */
  #dumpId: number | null = null;

  /** Whether the last line of the dump has come. */
  get isComplete(): boolean {
    return this.#hasEnded && this.#open.length === 0;
  }

  /** Takes a comment without its dashes. @returns the object that it announces, if any */
  take(text: string): TocEntry | null {
    const part = /^ PostgreSQL database (cluster dump|dump)( complete)?$/.exec(text);
    if (part !== null) this.#part(part[1] as string, part[2] !== undefined);
    else if (text.startsWith(' Dumped from database version ')) this.serverVersion ??= version(text);
    else if (text.startsWith(' Dumped by pg_dump version ')) this.dumpVersion ??= version(text);
    else return this.#entry(text);
    return null;
  }

  #part(kind: string, isEnd: boolean): void {
    this.#hasEnded = isEnd;
    if (!isEnd) this.#open.push(kind);
    else if (this.#open.at(-1) === kind) this.#open.pop();
  }

  #entry(text: string): TocEntry | null {
    const numbered = /^ TOC entry (\d+) /.exec(text);
    if (numbered !== null) this.#dumpId = Number(numbered[1]);
    const found = entry.exec(text);
    if (found === null) return null;
    const [, name = '', kind = '', schema, owner] = found;
    const dumpId = this.#dumpId ?? this.toc.length + 1;
    this.#dumpId = null;
    const made = { dumpId, kind, schema: given(schema), name, owner: given(owner) };
    this.toc.push(made);
    return made;
  }
}

/** pg_dump writes `-` for nothing. */
function given(text: string | undefined): string | null {
  return text === undefined || text === '-' || text === '' ? null : text;
}

/** `15.18` of `… version 15.18 (Debian 15.18-0+deb12u1)`; `17beta1` too. */
function version(text: string): string | null {
  return /version (\d[\w.]*)/.exec(text)?.[1] ?? null;
}
