import type { CatalogField } from '../postgres/extract-models.ts';
import { systemColumns } from './describe.ts';
import { isFieldName } from './model-name.ts';

/** A field of describe.yaml, by its keys there. */
export type FieldDescription = Readonly<Record<string, unknown>>;

/** A model of describe.yaml, by its keys there. */
export interface ModelDescription {
  readonly status: 'active';
  readonly description: string | null;
  readonly sudo: false;
  readonly fields: Readonly<Record<string, FieldDescription>>;
}

/** The type of a field for each type of PostgreSQL that has one; everything else is text. */
const fieldTypeOf: Readonly<Record<string, string>> = {
  text: 'text',
  'character varying': 'text',
  character: 'text',
  integer: 'integer',
  smallint: 'integer',
  bigint: 'bigint',
  numeric: 'decimal',
  real: 'decimal',
  'double precision': 'decimal',
  boolean: 'boolean',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamp',
  date: 'date',
  uuid: 'uuid',
  jsonb: 'jsonb',
  json: 'jsonb',
  'text[]': 'text[]',
  'character varying[]': 'text[]',
  'integer[]': 'integer[]',
  'smallint[]': 'integer[]',
  'numeric[]': 'decimal[]',
  'uuid[]': 'uuid[]',
};

const system: ReadonlySet<string> = new Set(systemColumns.map(({ name }) => name));

/**
 * Describes a table as a model.
 *
 * @param notices what of it cannot be described is added here
 */
export function describeModel(fields: readonly CatalogField[], notices: string[]): ModelDescription {
  const described = fields.filter(({ name }) => !system.has(name) && isFieldName(name));
  return {
    status: 'active',
    description: fields[0]?.modelComment ?? null,
    sudo: false,
    fields: Object.fromEntries(described.map((field) => [field.name, describeField(field, notices)])),
  };
}

function describeField(field: CatalogField, notices: string[]): FieldDescription {
  const place = `${field.model}.${field.name}`;
  const known = field.labels === null ? fieldTypeOf[field.type] : 'text';
  const type = known ?? 'text';
  if (known === undefined || field.type === 'timestamp with time zone') {
    notices.push(`${place}: ${field.type} is described as ${type}`);
  }
  const rules = rulesOf(field.checks, (check) => notices.push(`${place}: not described: ${check}`));
  const initial = defaultOf(field.default, type);
  if (initial === undefined) notices.push(`${place}: not described: default ${field.default}`);
  const { reference } = field;
  return {
    type,
    required: field.required,
    default_value: initial ?? null,
    description: field.comment,
    relationship_type: reference === null ? null : reference.cascade ? 'owned' : 'referenced',
    related_model: reference?.model ?? null,
    related_field: reference?.field ?? null,
    cascade_delete: reference?.cascade ?? false,
    minimum: rules.minimum,
    maximum: rules.maximum,
    pattern: rules.pattern,
    enum_values: field.labels ?? rules.enumValues,
    unique: field.unique,
    index: field.index,
  };
}

interface Rules {
  minimum: string | null;
  maximum: string | null;
  pattern: string | null;
  enumValues: readonly string[] | null;
}

const text = "'((?:[^']|'')*)'(?:::[a-z ]+)?";
const operand = String.raw`\(?(?:length|cardinality)?\(?"?[a-z0-9_]+"?\)?(?:::text(?:\[\])?)?\)?`;
const limit = String.raw`\(?(?:'([^']*)'|(-?[0-9.]+))\)?(?:::[a-z ]+)?`;
const minimumCheck = new RegExp(`^CHECK \\(\\(${operand} >= ${limit}\\)\\)$`);
const maximumCheck = new RegExp(`^CHECK \\(\\(${operand} <= ${limit}\\)\\)$`);
const patternCheck = new RegExp(`^CHECK \\(\\(${operand} ~ ${text}\\)\\)$`);
const enumCheck = new RegExp(
  `^CHECK \\(\\(${operand} (?:= ANY|<@) \\(?ARRAY\\[(.*)\\](?:::text\\[\\])?\\)?\\)\\)$`,
);

/** The checks that describe.yaml has words for: those that an import makes of it. */
function rulesOf(checks: readonly string[], unknown: (check: string) => void): Rules {
  const rules: Rules = { minimum: null, maximum: null, pattern: null, enumValues: null };
  for (const check of checks) {
    const minimum = minimumCheck.exec(check);
    const maximum = maximumCheck.exec(check);
    const pattern = patternCheck.exec(check);
    const values = enumCheck.exec(check);
    if (minimum !== null) rules.minimum = minimum[1] ?? minimum[2] ?? null;
    else if (maximum !== null) rules.maximum = maximum[1] ?? maximum[2] ?? null;
    else if (pattern !== null) rules.pattern = unquoted(pattern[1] ?? '');
    else if (values !== null) {
      const items = (values[1] ?? '').matchAll(new RegExp(text, 'g'));
      rules.enumValues = [...items].map(([, item]) => unquoted(item ?? ''));
    } else unknown(check);
  }
  return rules;
}

/** A default as describe.yaml writes it; null: none, undefined: one that it has no words for. */
function defaultOf(expression: string | null, type: string): string | null | undefined {
  if (expression === null || /^NULL(::|$)/.test(expression)) return null;
  const [, quoted] = /^'((?:[^']|'')*)'::[a-z ]+(?:\[\])?(?:\([0-9,]+\))?$/.exec(expression) ?? [];
  if (quoted !== undefined) return unquoted(quoted);
  const [, number] = /^\(?(-?[0-9.]+)\)?(?:::[a-z ]+)?$/.exec(expression) ?? [];
  if (number !== undefined) return number;
  if (expression === 'true' || expression === 'false') return expression;
  const items = /^ARRAY\[(.*)\](?:::[a-z ]+\[\])?$/.exec(expression)?.[1];
  if (items !== undefined)
    return JSON.stringify([...items.matchAll(new RegExp(text, 'g'))].map(([, item]) => unquoted(item ?? '')));
  // For a text, an import takes it for the text itself.
  return type === 'text' ? undefined : calls[expression];
}

const calls: Readonly<Record<string, string>> = {
  'now()': 'now()',
  CURRENT_TIMESTAMP: 'now()',
  'gen_random_uuid()': 'gen_random_uuid()',
};

function unquoted(literal: string): string {
  return literal.replaceAll("''", "'");
}
