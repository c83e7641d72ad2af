import { setImmediate } from 'node:timers/promises';
import { parse, type ScalarTag, type Tags } from 'yaml';
import { z } from 'zod';
import { badBundle } from './bundle-error.ts';
import { isFieldName, isModelName, modelNameHint } from './model-name.ts';

/** The types that fields have, and the PostgreSQL type of each. https://www.postgresql.org/docs/current/datatype.html */
export const fieldTypes: Readonly<Record<string, string>> = {
  text: 'text',
  integer: 'integer',
  decimal: 'numeric',
  boolean: 'boolean',
  timestamp: 'timestamp',
  date: 'date',
  uuid: 'uuid',
  jsonb: 'jsonb',
  numeric: 'numeric',
  bigint: 'bigint',
  bigserial: 'bigint',
  'text[]': 'text[]',
  'integer[]': 'integer[]',
  'decimal[]': 'numeric[]',
  'numeric[]': 'numeric[]',
  'uuid[]': 'uuid[]',
};

/** Columns that every model has, and no bundle describes. */
export const systemColumns: readonly {
  readonly name: string;
  readonly type: string;
  readonly definition: string;
}[] = [
  { name: 'id', type: 'uuid', definition: 'uuid primary key default gen_random_uuid()' },
  { name: 'access_read', type: 'uuid[]', definition: "uuid[] default '{}'" },
  { name: 'access_edit', type: 'uuid[]', definition: "uuid[] default '{}'" },
  { name: 'access_full', type: 'uuid[]', definition: "uuid[] default '{}'" },
  { name: 'access_deny', type: 'uuid[]', definition: "uuid[] default '{}'" },
  { name: 'created_at', type: 'timestamp', definition: 'timestamp not null default now()' },
  { name: 'updated_at', type: 'timestamp', definition: 'timestamp not null default now()' },
  { name: 'trashed_at', type: 'timestamp', definition: 'timestamp' },
  { name: 'deleted_at', type: 'timestamp', definition: 'timestamp' },
];

/** A field that points at another model. */
export interface Relationship {
  /** `owned`: the record goes with the one that it belongs to. */
  readonly type: 'owned' | 'referenced';
  readonly model: string;
  /** @default 'id' */
  readonly field: string;
  readonly cascadeDelete: boolean;
}

/** A field of a model. */
export interface DescribedField {
  readonly name: string;
  /** Of PostgreSQL. */
  readonly type: string;
  readonly required: boolean;
  /** As text, to be read as the field's type; null: none. */
  readonly defaultValue: string | null;
  readonly unique: boolean;
  readonly index: boolean;
  readonly enumValues: readonly string[] | null;
  readonly minimum: string | null;
  readonly maximum: string | null;
  readonly pattern: string | null;
  readonly description: string | null;
  readonly relationship: Relationship | null;
}

/** A model: a table. */
export interface DescribedModel {
  readonly name: string;
  readonly description: string | null;
  readonly fields: readonly DescribedField[];
}

/** `describe.yaml` of a bundle. */
export interface BundleDescription {
  readonly models: readonly DescribedModel[];
  /** Keys that were passed over, for the log. */
  readonly warnings: readonly string[];
}

/** Characters of a describe.yaml; 10,000 models with 20 fields each have about a third of it. */
export const longestDescription = 64 * 1024 * 1024;

const scalar = z.union([z.string(), z.number(), z.boolean()]).nullish();

const field = z.looseObject({
  type: z.string().optional(),
  data_type: z.string().optional(),
  is_array: z.boolean().nullish(),
  required: z.boolean().nullish(),
  default_value: z.unknown().optional(),
  unique: z.boolean().nullish(),
  index: z.boolean().nullish(),
  enum_values: z.array(z.union([z.string(), z.number(), z.boolean()])).nullish(),
  minimum: scalar,
  maximum: scalar,
  pattern: z.string().nullish(),
  description: z.string().nullish(),
  relationship_type: z.enum(['owned', 'referenced']).nullish(),
  related_model: z.string().nullish(),
  related_schema: z.string().nullish(),
  related_field: z.string().nullish(),
  cascade_delete: z.boolean().nullish(),
});

const model = z.looseObject({
  description: z.string().nullish(),
  fields: z.record(z.string(), field).nullish(),
  columns: z.record(z.string(), field).nullish(),
});

const description = z.record(z.string(), model);

const knownOfField: ReadonlySet<string> = new Set([
  ...Object.keys(field.shape),
  ...[
    'relationship_name',
    'required_relationship',
    'immutable',
    'sudo',
    'tracked',
    'searchable',
    'transform',
  ],
  ...['label', 'icon'],
]);
const knownOfModel: ReadonlySet<string> = new Set([
  ...Object.keys(model.shape),
  ...['status', 'sudo', 'frozen', 'immutable', 'external', 'label', 'icon'],
]);

/**
 * Reads `describe.yaml`: a map of models with their fields. Older bundles say `columns` for `fields` and
 * `data_type` for `type`.
 *
 * @throws ThawError `InputInvalid` for what is not YAML or not of that form, names that are none of a model or
 *   field, and types that are not known
 */
export async function parseDescription(text: string): Promise<BundleDescription> {
  const models = new Map<string, DescribedModel>();
  const warnings: string[] = [];
  for (const part of partsOf(text)) {
    for (const [name, each] of parsePart(part)) {
      if (models.has(name)) throw notYaml();
      models.set(name, describedModel(name, each, warnings));
    }
    // One of thousands of models takes many seconds, in which others, heartbeats too, have to have their turn.
    await setImmediate();
  }
  return { models: [...models.values()], warnings };
}

function parsePart(text: string): [string, z.output<typeof model>][] {
  const result = description.safeParse(yaml(text) ?? {});
  if (result.success) return Object.entries(result.data);
  const [issue] = result.error.issues;
  throw badBundle(`describe.yaml: ${placeOf(issue?.path ?? [])}: ${issue?.message}`);
}

/** Characters that are parsed at one go, which takes some tenths of a second. */
const partLength = 64 * 1024;

/**
 * Parts of a description that can be parsed one after another: where each line that is not indented is the plain key
 * of a model, or a comment, a model ends before the next one. Else the whole.
 */
function partsOf(text: string): string[] {
  const lines = text.split('\n');
  if (!lines.every((line) => /^(\r?$|[ #]|\w+:(\s|$))/.test(line))) return [text];
  const parts: string[] = [];
  let part: string[] = [];
  let length = 0;
  for (const line of lines) {
    if (length > partLength && /^\w/.test(line)) {
      parts.push(part.join('\n'));
      part = [];
      length = 0;
    }
    part.push(line);
    length += line.length;
  }
  return [...parts, part.join('\n')];
}

function describedModel(name: string, each: z.output<typeof model>, warnings: string[]): DescribedModel {
  if (!isModelName(name)) {
    throw badBundle(`describe.yaml: ${placeOf([name])} is no name of a model`, modelNameHint);
  }
  warnings.push(
    ...unknownKeys(each, knownOfModel).map((key) => `describe.yaml: ${name}: ${key} is not known`),
  );
  const own = new Set(systemColumns.map((column) => column.name));
  const fields = Object.entries(each.fields ?? each.columns ?? {})
    .filter(([field]) => !own.has(field))
    .map(([field, properties]) => describedField(name, field, properties, warnings));
  return { name, description: each.description ?? null, fields };
}

function describedField(
  modelName: string,
  name: string,
  each: z.output<typeof field>,
  warnings: string[],
): DescribedField {
  const place = placeOf([modelName, name]);
  if (!isFieldName(name)) throw badBundle(`describe.yaml: ${place} is no name of a field`);
  warnings.push(
    ...unknownKeys(each, knownOfField).map((key) => `describe.yaml: ${place}: ${key} is not known`),
  );
  return {
    name,
    type: typeOf(each, place),
    required: each.required ?? false,
    defaultValue: textOf(each.default_value),
    unique: each.unique ?? false,
    index: each.index ?? false,
    enumValues: each.enum_values?.map(String) ?? null,
    minimum: textOf(each.minimum),
    maximum: textOf(each.maximum),
    pattern: each.pattern ?? null,
    description: each.description ?? null,
    relationship: relationshipOf(each, place),
  };
}

function typeOf(each: z.output<typeof field>, place: string): string {
  const said = (each.type ?? each.data_type ?? 'text').toLowerCase();
  const asArray = each.is_array === true && !said.endsWith('[]') ? `${said}[]` : said;
  const type = Object.hasOwn(fieldTypes, asArray) ? fieldTypes[asArray] : undefined;
  if (type !== undefined) return type;
  throw badBundle(
    `describe.yaml: ${place}: the type ${JSON.stringify(said.slice(0, 40))} is not known`,
    `Use one of ${Object.keys(fieldTypes).join(', ')}.`,
  );
}

function relationshipOf(each: z.output<typeof field>, place: string): Relationship | null {
  const to = each.related_model ?? each.related_schema ?? null;
  const { relationship_type: type } = each;
  if (type === null || type === undefined || to === null) return null;
  const field = each.related_field ?? 'id';
  if (!isModelName(to) || !isFieldName(field)) {
    throw badBundle(`describe.yaml: ${place} points at what is no model and field`);
  }
  return { type, model: to, field, cascadeDelete: each.cascade_delete ?? false };
}

/** A value of YAML as PostgreSQL reads it. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function unknownKeys(value: object, known: ReadonlySet<string>): string[] {
  return Object.keys(value)
    .filter((key) => !known.has(key))
    .map((key) => JSON.stringify(key.slice(0, 60)));
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'the file' : path.map((step) => String(step).slice(0, 70)).join('.');
}

/** Digits that a double keeps, whatever the number. */
const exactDigits = 15;

const numbers: ReadonlySet<string> = new Set(['tag:yaml.org,2002:int', 'tag:yaml.org,2002:float']);

/** Numbers that a double would change, such as the limits of a bigint, stay the text that they are. */
function exactNumbers(tags: Tags): Tags {
  return tags.map((tag) => {
    if (typeof tag === 'string' || tag.collection !== undefined) return tag;
    return numbers.has(tag.tag) ? exactNumber(tag) : tag;
  });
}

function exactNumber(tag: ScalarTag): ScalarTag {
  return {
    ...tag,
    resolve: (text, onError, options) => {
      const isDecimal = /^[-+]?[.\d]*\d(?:e|$)/i.test(text);
      const digits = text.replaceAll(/\D/g, '').length;
      return isDecimal && digits > exactDigits ? text : tag.resolve(text, onError, options);
    },
  };
}

function yaml(text: string): unknown {
  try {
    // Aliases could multiply a small file into a large one; bundles have none.
    return parse(text, { maxAliasCount: 0, uniqueKeys: true, schema: 'core', customTags: exactNumbers });
  } catch {
    throw notYaml();
  }
}

function notYaml(): Error {
  return badBundle('describe.yaml is not valid YAML');
}
