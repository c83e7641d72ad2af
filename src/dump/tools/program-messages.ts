/** One message of a program, without anything of a row. */
export interface ProgramMessage {
  readonly severity: 'error' | 'warning';
  /** SQLSTATE, where the program tells it: psql does, pg_restore does not. */
  readonly sqlstate: string | null;
  readonly text: string;
}

/** Messages of each kind that are kept. */
export const keptMessages = 20;

/** Characters of a message that are kept. */
const longest = 500;

/** The line that a message of pg_restore or psql begins with: program, line of its input, severity. */
const head =
  /^(?:(?:\S*\/)?(?:pg_restore|pg_dump|psql): |psql:\S*:(\d+): |(?=(?:ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|LOG|DEBUG): ))(?:(error|warning|hint|detail): )?(.*)$/;

/**
 * What the server says, wherever it stands in a message: its severity, in the language of the server and with
 * two spaces behind it, and the SQLSTATE, where psql tells it.
 */
const fromServer = /^(.*?)([\p{Lu}\p{Lo}]+): {2}(?:([0-9A-Z]{5}): )?(.*)$/u;

/** Messages of the server that quote names of objects, never values of a row. */
const aboutObjects = [
  /\balready exists\b/,
  /\bdoes not exist\b/,
  /^permission denied\b/,
  /^must be (?:owner|superuser|member|able)\b/,
  /\bviolates (?:unique|foreign key|check|exclusion|not-null) constraint\b/,
  /\bis violated by some row\b/,
  /^could not create unique index\b/,
  /^multiple primary keys\b/,
  /^(?:missing data for|extra data after last expected) column\b/,
  /^cannot (?:drop|alter|create|change|insert into|execute|copy to)\b/,
  /^unrecognized configuration parameter\b/,
  /^extension ".*" is not available\b/,
  /^could not (?:open|access|extend|write|load)\b/,
  /^(?:generated )?column ".*" of relation\b/,
  /^relation ".*" is not\b/,
  /^password authentication failed\b/,
  /^database ".*" is (?:not currently|being)\b/,
];

/** Where a function of the database raised an error, its text may hold anything. */
const inFunction = /\bat RAISE$|^(?:CONTEXT: {1,2})?(?:PL\/\S+|SQL) function /;

const lostConnection =
  /server closed the connection unexpectedly|no connection to the server|connection to server (?:was lost|at .* failed|on socket .* failed)|terminating connection|connection (?:not open|reset|timed out)|could not (?:send data to|receive data from) server|SSL (?:SYSCALL error|connection has been closed)|the database system is (?:starting up|shutting down|in recovery)/i;

/**
 * Collects what psql and pg_restore write to standard error. Of each message only its first line is kept,
 * and of that no value: statements, DETAIL and CONTEXT, which hold rows and secrets, are thrown away.
 */
export class ProgramMessages {
  /** The first errors. */
  readonly errors: ProgramMessage[] = [];
  /** The first warnings. */
  readonly warnings: ProgramMessage[] = [];
  /** Errors, also those that were not kept. */
  errorCount = 0;
  /** What `errors ignored on restore` says; null where pg_restore did not come to its end, or without errors. */
  ignored: number | null = null;
  /** Whether the connection broke, whatever followed from it. */
  lostConnection = false;
  #open: { severity: 'error' | 'warning'; line: string | undefined; text: string } | null = null;
  #isOfFunction = false;

  /** Takes the next line. */
  take(line: string): void {
    if (lostConnection.test(line)) this.lostConnection = true;
    const [, number, severity, text = ''] = head.exec(line) ?? [];
    if (text === '') {
      if (inFunction.test(line)) this.#isOfFunction = true;
      return;
    }
    this.end();
    const ignored = /^errors ignored on restore: (\d+)$/.exec(text);
    if (ignored !== null) this.ignored = Number(ignored[1]);
    else this.#open = begun(severity, number, text);
  }

  /** Ends the last message. */
  end(): void {
    const open = this.#open;
    if (open === null) return;
    const message = scrubbed(open.text, open.line, this.#isOfFunction);
    this.#open = null;
    this.#isOfFunction = false;
    if (open.severity === 'error') this.errorCount += 1;
    const kept = open.severity === 'error' ? this.errors : this.warnings;
    if (kept.length < keptMessages) kept.push({ severity: open.severity, ...message });
  }
}

function begun(severity: string | undefined, line: string | undefined, text: string) {
  const error = { severity: 'error' as const, line, text };
  const warning = { severity: 'warning' as const, line, text };
  if (severity !== undefined) return severity === 'error' ? error : severity === 'warning' ? warning : null;
  const [, , said, sqlstate] = fromServer.exec(text) ?? [];
  if (said !== undefined) {
    if (said === 'WARNING' || sqlstate?.startsWith('01')) return warning;
    const isError =
      sqlstate === undefined ? /^(?:ERROR|FATAL|PANIC)$/.test(said) : !sqlstate.startsWith('00');
    return isError ? error : null;
  }
  // psql's own complaints name a line of the input and no severity, those about options neither.
  const isComplaint =
    line !== undefined || /^(?:unrecognized|invalid) option|\brequires? an argument/.test(text);
  return isComplaint ? error : null;
}

function scrubbed(
  text: string,
  line: string | undefined,
  isOfFunction: boolean,
): Omit<ProgramMessage, 'severity'> {
  const [, before = '', , sqlstate = null, said = ''] = fromServer.exec(text) ?? [];
  const place = line === undefined ? '' : `line ${line}: `;
  const prefix = before.replace(/^could not execute query: $/, '');
  const words = said === '' ? text : prefix + serverWords(said, sqlstate, isOfFunction);
  return { sqlstate, text: (place + words).slice(0, longest) };
}

function serverWords(said: string, sqlstate: string | null, isOfFunction: boolean): string {
  if (isOfFunction || sqlstate?.startsWith('P0')) return 'a function of the database raised an error';
  if (aboutObjects.some((pattern) => pattern.test(said))) return said;
  const [plain = ''] = said.split(/["'«»„“”‘’「]|: |0x/);
  return plain.length < said.length ? `${plain.trimEnd()} …` : said;
}
