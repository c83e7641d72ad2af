// Checks that imports point one way: entry points -> activities and clients -> restore, archive, store,
// postgres -> contract. And that workflow code is pure, with all that it reaches.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './bootstrap.mjs';

/** The layers that know nothing of how Thaw is asked for, run and configured. */
const inner = ['src/contract', 'src/restore', 'src/archive', 'src/store', 'src/postgres'];

/** What runs inside Temporal's sandbox. */
const pure = ['@temporalio/workflow', '@temporalio/common'];

/**
 * For each folder, what of the project it may import; `types` only as types. `packages`: which packages
 * and Node built-ins it may import as values; without it, any.
 */
const rules = {
  'src/contract': { values: [], packages: ['@temporalio/workflow'] },
  'src/restore': { values: ['src/contract', 'src/archive'], types: ['src/postgres'], packages: [] },
  'src/archive': { values: ['src/contract'] },
  'src/config': { values: ['src/contract'] },
  'src/auth': { values: ['src/contract'] },
  'src/http': { values: ['src/contract'] },
  'src/notify': { values: ['src/contract', 'src/http'] },
  'src/store': { values: ['src/contract', 'src/config'] },
  'src/postgres': { values: ['src/contract', 'src/config'], types: ['src/archive'] },
  'src/load': { values: [...inner, 'src/config'] },
  'src/validate': { values: [...inner, 'src/config', 'src/load'] },
  'src/verify': { values: [...inner, 'src/config', 'src/load'] },
  'src/rejects': { values: [...inner, 'src/config', 'src/load'] },
  'src/undo': { values: inner },
  'src/export': { values: [...inner, 'src/load', 'src/validate'] },
  'src/control': { values: ['src/contract', 'src/postgres'] },
  'src/bundle': { values: [...inner, 'src/config', 'src/load', 'src/http'], types: ['src/control'] },
  'src/dump': { values: [...inner, 'src/config', 'src/stack', 'src/http'] },
  'src/snapshot': { values: [...inner, 'src/config', 'src/load'] },
  workflows: { values: ['src/contract', 'src/restore'], packages: pure },
  activities: {
    values: [
      ...inner,
      'src/config',
      'src/load',
      'src/undo',
      'src/control',
      'src/bundle',
      'src/dump',
      'src/snapshot',
      'src/notify',
    ],
  },
  'src/stack': { values: ['src/contract', 'src/config', 'src/auth'] },
  'src/client': { values: [...inner, 'src/config', 'src/dump', 'src/snapshot'], types: ['workflows'] },
  'src/preview': { values: [...inner, 'src/config', 'src/load', 'src/client'] },
  'src/api': {
    values: [
      ...inner,
      'src/config',
      'src/auth',
      'src/client',
      'src/preview',
      'src/undo',
      'src/control',
      'src/bundle',
      'src/dump',
      'src/snapshot',
    ],
    types: ['workflows'],
  },
  // `src`: the files that lie in it directly, such as worker.ts.
  'src/cli': {
    values: [
      ...inner,
      'src/config',
      'src/client',
      'src/preview',
      'src/validate',
      'src/verify',
      'src/rejects',
      'src/undo',
      'src/export',
      'src/control',
      'src/dump',
      'src/snapshot',
      'src/auth',
      'src/api',
      'src/stack',
      'src',
    ],
    types: ['workflows'],
  },
};

const files = ['src', 'workflows', 'activities'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/'))),
);
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const faults = [...imports].flatMap(([file, list]) => list.flatMap((one) => fault(file, one) ?? []));
faults.push(...impureReach());
for (const line of faults) process.stderr.write(`${line}\n`);
process.stdout.write(`imports: ${files.length} files, ${faults.length} faults\n`);
process.exitCode = faults.length > 0 ? 1 : 0;

/** The import and export-from statements of a file: what, from which line, and whether only types. */
function importsOf(file) {
  const text = readFileSync(path.join(root, file), 'utf8');
  const statement =
    /^\s*(?:import|export)\s+(type\s+)?(?:([^'";]*?)\s+from\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/gm;
  return Array.from(text.matchAll(statement), ([whole, type, names, from, dynamic]) => {
    const specifier = from ?? dynamic;
    const line =
      text.slice(0, text.indexOf(whole)).split('\n').length + (whole.match(/^\n*/)?.[0].length ?? 0);
    const listed = /^\{(.*)\}$/s
      .exec(names ?? '')?.[1]
      .split(',')
      .filter((name) => name.trim() !== '');
    const onlyTypes = type !== undefined || (listed?.every((name) => /^\s*type\s/.test(name)) ?? false);
    const target = specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : null;
    return { specifier, line, onlyTypes, target };
  });
}

function fault(file, { specifier, line, onlyTypes, target }) {
  const folder = folderOf(file);
  const rule = rules[folder];
  if (rule === undefined) return null;
  const say = (what) => `${file}:${line}: ${folder} may not import ${what}`;
  if (target === null) {
    const allowed = onlyTypes || rule.packages === undefined || rule.packages.includes(specifier);
    return allowed ? null : say(`${specifier} as a value`);
  }
  const other = folderOf(target);
  if (other === folder || rule.values.includes(other)) return null;
  if (rule.types?.includes(other))
    return onlyTypes ? null : say(`more than types of ${other} (${specifier})`);
  return say(`${other} (${specifier})`);
}

/** What workflow code reaches by value imports, over any number of files, must be as pure as itself. */
function impureReach() {
  const reached = new Set(files.filter((file) => folderOf(file) === 'workflows'));
  const found = [];
  for (const file of reached) {
    for (const { specifier, line, onlyTypes, target } of imports.get(file) ?? []) {
      if (onlyTypes) continue;
      if (target !== null) reached.add(target);
      else if (!pure.includes(specifier)) found.push(`${file}:${line}: workflow code reaches ${specifier}`);
    }
  }
  return found;
}

/** `src/archive` for src/archive/slicer.ts; `workflows`; `src` for files that lie in it directly. */
function folderOf(file) {
  const parts = path.posix.dirname(file).split('/');
  return parts.slice(0, parts[0] === 'src' ? 2 : 1).join('/');
}
