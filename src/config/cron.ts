/** A schedule as cron has it, in the form that Temporal takes. */
export interface Cron {
  /** Seven fields each, from seconds to years, with numbers only; a time that any of them names counts. */
  readonly expressions: readonly string[];
}

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** What may stand for a number, from the least on. */
  readonly words?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const dayOfMonth: Field = { name: 'day of the month', least: 1, most: 31 };
const month: Field = { name: 'month', least: 1, most: 12, words: months };
/** Sunday is 0, and 7 too. */
const dayOfWeek: Field = { name: 'day of the week', least: 0, most: 7, words: days };

const fields: readonly Field[] = [
  { name: 'second', least: 0, most: 59 },
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  dayOfMonth,
  month,
  dayOfWeek,
];

const shorthands: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** February is taken as it is in a leap year. */
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Reads five fields from minute to day of the week, or six with a second before them, as crontabs and the schedulers
 * of Node have them; `@daily` and the like too. Temporal reads six fields otherwise, and wants both of day of the
 * month and day of the week, where cron takes either.
 *
 * @returns what is wrong where it is none
 */
export function parseCron(text: string): Cron | string {
  const trimmed = text.trim();
  const words = (shorthands[trimmed.toLowerCase()] ?? trimmed).split(/\s+/);
  if (words.length !== 5 && words.length !== 6) {
    return 'must have five fields: minute, hour, day of the month, month, day of the week';
  }
  const given = words.length === 5 ? ['0', ...words] : words;
  const sets: number[][] = [];
  for (const [place, field] of fields.entries()) {
    const set = readField(given[place] ?? '', field);
    if (set === null)
      return `has no ${field.name} in "${given[place]}": ${field.least} to ${field.most}, *, lists, ranges and steps`;
    sets.push(set);
  }
  const [, , , date = [], inMonths = []] = sets;
  const isEitherDay = !given[3]?.startsWith('*') && given[3] !== '?' && !/^[*?]/.test(given[5] ?? '');
  const comes = inMonths.some((one) => date.some((day) => day <= (longestMonths[one - 1] ?? 0)));
  if (!comes && !isEitherDay) return 'names a day that no month has';
  const texts = sets.map((set, place) => fieldText(set, fields[place]));
  const [second, minute, hour, dom, mon, dow] = texts;
  const expression = (dayOfTheMonth?: string, dayOfTheWeek?: string) =>
    [second, minute, hour, dayOfTheMonth, mon, dayOfTheWeek, '*'].join(' ');
  return { expressions: isEitherDay ? [expression(dom, '*'), expression('*', dow)] : [expression(dom, dow)] };
}

/** All numbers that a field names, in order; null for what is none. */
function readField(text: string, field: Field): number[] | null {
  const named = new Set<number>();
  const isDay = field === dayOfMonth || field === dayOfWeek;
  for (const item of text.split(',')) {
    const [, range = '', step] = /^([^/]+)(?:\/([1-9]\d?))?$/.exec(item) ?? [];
    const [from, to] = rangeOf(isDay && range === '?' ? '*' : range, field, step !== undefined);
    if (from === undefined || to === undefined || from > to) return null;
    for (let number = from; number <= to; number += Number(step ?? 1)) {
      named.add(field === dayOfWeek ? number % 7 : number);
    }
  }
  return [...named].toSorted((a, b) => a - b);
}

function rangeOf(range: string, field: Field, hasStep: boolean): readonly (number | undefined)[] {
  if (range === '*') return [field.least, field === dayOfWeek ? 6 : field.most];
  const ends = range.split('-');
  const [from, to] = ends.map((end) => numberOf(end, field));
  if (ends.length === 2) return [from, to];
  return ends.length === 1 ? [from, hasStep ? field.most : from] : [];
}

function numberOf(text: string, { least, most, words }: Field): number | undefined {
  const place = words?.indexOf(text.toLowerCase()) ?? -1;
  if (place !== -1) return least + place;
  const number = Number(text);
  return /^\d{1,2}$/.test(text) && number >= least && number <= most ? number : undefined;
}

function fieldText(set: readonly number[], field: Field | undefined): string {
  const all = field === dayOfWeek ? 7 : field === undefined ? 0 : field.most - field.least + 1;
  return set.length === all ? '*' : set.join(',');
}
