import { existsSync, readFileSync } from 'node:fs';

/** The version of this release, as package.json has it. */
export function ownVersion(): string {
  const candidates = ['../../../package.json', '../../package.json'].map(
    (path) => new URL(path, import.meta.url),
  );
  const file = candidates.find((url) => existsSync(url));
  if (file === undefined) return 'unknown';
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
