/**
 * A command that uses the standalone server, for tests to run and kill: opens it, says so to its parent, and
 * releases it when told to. Arguments: state folder, namespace.
 */
import { openStandaloneServer } from '../../src/stack/standalone.ts';

const [stateDir = '', namespace] = process.argv.slice(2);
const abort = new AbortController();
const told = new Map<string, () => void>();
const heard = (word: string) => new Promise<void>((resolve) => told.set(word, resolve));
const released = heard('release');

process.on('message', (word: string) => told.get(word)?.());
process.on('disconnect', () => process.exit(1));
void heard('abort').then(() => abort.abort(new Error('interrupted')));

try {
  const log = (line: string) => process.send?.({ log: line });
  const server = await openStandaloneServer({ stateDir, namespace, log, signal: abort.signal });
  process.send?.({ address: server.address, uiUrl: server.uiUrl });
  await released;
  await server.release();
  process.send?.({ released: true }, () => process.exit(0));
} catch (error) {
  process.send?.({ error: (error as Error).message }, () => process.exit(2));
}
