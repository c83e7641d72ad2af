/**
 * A line that is not JSON. The slicer makes an `ArchiveCorrupt` of it, which tells line and offset;
 * the message says what was expected, never what is there.
 */
export class Malformed extends Error {
  override readonly name = 'Malformed';
  /** Index of the offending byte in the buffer being sliced. */
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/**
 * A value that its column cannot take. The slicer makes a `RowRejected` of it, which tells line and
 * column; the message never holds the value.
 */
export class BadValue extends Error {
  override readonly name = 'BadValue';
  /** What to do about it, where that is more than for any bad value. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/**
 * Not a failure but a signal: a json column of the archive turns out to hold nested values after strings
 * of it were already passed on as JSON text. Slice the archive again from its start with the column in
 * `SlicerOptions.nestedJson`.
 */
export class RestartNested extends Error {
  override readonly name = 'RestartNested';
  /** Name of the column in the target table. */
  readonly column: string;

  constructor(column: string) {
    super(`Column ${column} holds nested JSON; slice the archive again with it in nestedJson.`);
    this.column = column;
  }
}
