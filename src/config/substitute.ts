import { ThawError } from '../contract/thaw-error.ts';

/** A place in a configuration file, such as `['databases', 0, 'port']`. */
export type ConfigPath = readonly (string | number)[];

/** `${VAR}` and `${VAR:-default}`, as the archiver reads them: the default counts only for a variable that is not set. */
const reference = /\$\{([^}:]+)(?::-([^}]*))?\}/g;

/**
 * Puts environment variables into a text.
 *
 * @throws ThawError `ConfigInvalid` naming variable and place, when one without default is not set.
 */
export function substitute(template: string, env: NodeJS.ProcessEnv, place: string): string {
  return template.replace(reference, (_, name: string, fallback: string | undefined) => {
    const value = env[name] ?? fallback;
    if (value === undefined) {
      throw new ThawError('ConfigInvalid', `${place}: environment variable ${name} is not set`, {
        object: place,
        hint: `Set ${name}, or write \${${name}:-default} in the configuration.`,
      });
    }
    return value;
  });
}

/** Tells whether a text refers to a variable. */
export function hasReference(text: string): boolean {
  return text.search(reference) >= 0;
}

/**
 * Puts environment variables into every text of a tree, and leaves out what is null, which counts as
 * absent. Places that `skip` names keep their references.
 */
export function substituteTree(
  tree: unknown,
  env: NodeJS.ProcessEnv,
  skip: (path: ConfigPath) => boolean,
  path: ConfigPath = [],
): unknown {
  if (typeof tree === 'string') return skip(path) ? tree : substitute(tree, env, placeName(path));
  if (Array.isArray(tree))
    return tree.map((item, index) => substituteTree(item, env, skip, [...path, index]));
  if (typeof tree !== 'object' || tree === null) return tree;
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, substituteTree(value, env, skip, [...path, key])]),
  );
}

/** A place as messages name it: `databases[0].port`. */
export function placeName(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${String(step)}`))
    .join('');
}
