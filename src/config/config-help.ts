import { z } from 'zod';
import { configFile } from './config.ts';
import { systemFile } from './system.ts';

/** A setting of `config.yaml` or `system.yaml`, for help and documentation. */
export interface ConfigField {
  /** Such as `databases[].port`. */
  readonly path: string;
  readonly description: string;
  /** The words that it may be, where they are a closed set. */
  readonly words: readonly string[];
  /** JSON of the default; null where there is none. */
  readonly fallback: string | null;
}

type Schema = z.core.JSONSchema.BaseSchema;

/** Every setting of `config.yaml` that Thaw reads, from the definition that validates them. */
export function configFields(): ConfigField[] {
  return fieldsOf('', z.toJSONSchema(configFile, { io: 'output' }));
}

/** The same of `system.yaml`. */
export function systemFields(): ConfigField[] {
  // A time is text that becomes a number, which no JSON schema tells.
  return fieldsOf('', z.toJSONSchema(systemFile, { io: 'output', unrepresentable: 'any' }));
}

function fieldsOf(path: string, schema: Schema): ConfigField[] {
  if (isSchema(schema.items)) {
    const { description = schema.description ?? '' } = schema.items;
    return fieldsOf(`${path}[]`, { ...schema.items, description });
  }
  if (schema.properties === undefined) return [field(path, schema)];
  return Object.entries(schema.properties).flatMap(([name, inner]) =>
    isSchema(inner) ? fieldsOf(path === '' ? name : `${path}.${name}`, inner) : [],
  );
}

function field(path: string, schema: Schema): ConfigField {
  return {
    path,
    description: schema.description ?? '',
    words: (schema.enum ?? []).map(String),
    fallback: schema.default === undefined ? null : JSON.stringify(schema.default),
  };
}

function isSchema(schema: unknown): schema is Schema {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema);
}
