/** Longest name of a table or column in PostgreSQL, in bytes; the names here are ASCII. */
const longest = 63;

/** Words that the source system does not accept as names of models and fields either. */
const reserved: ReadonlySet<string> = new Set(
  (
    'all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create ' +
    'current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else ' +
    'end except false fetch for foreign from grant group having in initially intersect into lateral leading limit ' +
    'localtime localtimestamp not null offset on only or order placing primary references returning select ' +
    'session_user some symmetric table then to trailing true union unique user using variadic when where window with'
  ).split(' '),
);

/** The rule of names, for those whose name is refused. */
export const modelNameHint =
  'A model is named by lower-case letters, digits and single _, a letter first, at most 63, and by no word of SQL such as select.';

/** Whether a name may be that of a model: `^[a-z][a-z0-9_]*$`, at most 63 characters, no `__`, no word of SQL. */
export function isModelName(name: string): boolean {
  return isName(name) && !reserved.has(name);
}

/** Whether a name may be that of a field; words of SQL may, as every identifier is quoted. */
export function isFieldName(name: string): boolean {
  return isName(name);
}

function isName(name: string): boolean {
  return name.length <= longest && /^[a-z][a-z0-9_]*$/.test(name) && !name.includes('__');
}
