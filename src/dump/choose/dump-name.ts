/** When a dump was taken by its name, in milliseconds: a moment, or somewhen within a day. */
export interface NameTime {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

const date = String.raw`(?<year>\d{4})-?(?<month>\d{2})-?(?<day>\d{2})`;
const clock = String.raw`(?<hour>\d{2})[-:]?(?<minute>\d{2})[-:]?(?<second>\d{2})(?:[-.](?<milli>\d{3}))?`;
const zone = String.raw`(?<zone>Z|[+-]\d{2}:?\d{2})`;
const stamp = `${date}(?:[T_ -]?${clock}${zone}?)?`;
const extensions = String.raw`(?:\.[A-Za-z]\w*)*`;

/** A time at the end of a name, before its extensions. */
const timeAtEnd = new RegExp(`(?:^|[-_.])${stamp}${extensions}$`);

/** What may follow the beginning of a name: a time, `latest`, or month and week as `YYYYMM` and `YYYYWW`. */
const rest = new RegExp(String.raw`^(?:[-_.](?:${stamp}|latest|\d{6}))?${extensions}$`);

/** `YYYY/MM/DD/backup-HH-MM-SS.sql.gz`: the day is in the folders. */
const dayFolders = new RegExp(
  String.raw`(?:^|/)(\d{4})/(\d{2})/(\d{2})/([^/]*?[-_])(\d{2}[-:]\d{2}[-:]\d{2}${extensions})$`,
);

/** What lies beside dumps and is none: manifests, checksums, signatures, logs, drafts. */
const beside = /\.(?:json|ya?ml|md5|sha\d+|sums?|txt|log|sig|asc|tmp|part|partial)$/i;

/** Milliseconds. */
const day = 86_400_000;

/**
 * Tells whether an object is a dump by its name: one of the beginnings, then a time or `latest` or nothing, then
 * extensions. What follows must be a time so that dumps of `argus_old` are none of `argus`. The names of the S3 tool
 * and its relatives (`{prefix}-{ISO time with dashes}`, `YYYY/MM/DD/{prefix}-HH-MM-SS`, `{db}_{ISO time}`,
 * `last/{db}-YYYYmmdd-HHMMSS`, `{db}-latest`) and of the procedures (`{service}_YYYYMMDD_HHMMSS`).
 */
export function isDumpOf(key: string, beginnings: readonly string[]): boolean {
  const name = wholeName(key);
  if (name === '' || beside.test(name)) return false;
  return beginnings.some((each) => name.startsWith(each) && rest.test(name.slice(each.length)));
}

/** Tells whether a key is in no folder, or in one that the tools make themselves: of a day, or `last`, `daily` and the like. */
export function isInOwnFolder(key: string): boolean {
  return /^(?:\d{4}\/\d{2}\/\d{2}\/|(?:last|daily|weekly|monthly)\/)?[^/]*$/.test(key);
}

/**
 * The time in the name of a dump; null where it has none. One without zone is in the local time of the machine that
 * made the dump, and read as in that of this process.
 */
export function nameTime(key: string): NameTime | null {
  const parts = timeAtEnd.exec(wholeName(key))?.groups;
  if (parts === undefined) return null;
  const { year, month, hour, minute, second, milli = '000', zone: offset } = parts;
  const isWhole = hour === undefined;
  const at = isWhole ? '00:00:00' : `${hour}:${minute}:${second}`;
  // Without an offset this is local time.
  const from = Date.parse(`${year}-${month}-${parts.day}T${at}.${milli}${colonned(offset)}`);
  if (Number.isNaN(from) || !isDay(`${year}-${month}-${parts.day}`)) return null;
  return { from, to: isWhole ? from + day - 1 : from };
}

/** The last part of a key, with the day of its folders where it has only the time of day. */
function wholeName(key: string): string {
  return key.replace(dayFolders, '/$4$1-$2-$3T$5').split('/').at(-1) ?? '';
}

function colonned(offset: string | undefined): string {
  return offset === undefined ? '' : offset.replace(/^([+-]\d{2}):?(\d{2})$/, '$1:$2');
}

/** 30 February would be taken for the first days of March. */
function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}
