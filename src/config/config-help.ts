import { z } from 'zod';
import { configFile } from './config.ts';

/** A setting of `config.yaml`, for help and documentation. */
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

/** Every setting that Thaw reads, from the definition that validates them. */
export function configFields(): ConfigField[] {
  return fieldsOf('', z.toJSONSchema(configFile, { io: 'output' }));
}

function fieldsOf(path: string, schema: Schema): ConfigField[] {
  if (isSchema(schema.items)) return fieldsOf(`${path}[]`, schema.items);
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
