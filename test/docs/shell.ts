import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whether there is a curl to run examples with; Thaw itself needs none. */
export const hasCurl = spawnSync('curl', ['--version']).status === 0;

/**
 * Runs lines as whoever copies them into a shell would.
 *
 * @param variables of the environment, besides those of the test
 * @returns what they print; throws with what they said where one does not end with 0
 */
export async function runShell(
  text: string,
  cwd: string,
  variables: Readonly<Record<string, string>>,
): Promise<string> {
  const env = { ...process.env, ...variables };
  return (await run('bash', ['-euo', 'pipefail', '-c', text], { cwd, env })).stdout;
}
