import { createInterface } from 'node:readline/promises';
import { ThawError } from '../contract/thaw-error.ts';

/** Where somebody is asked. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/** The terminal of this process. Questions go to standard error, beside the answer of the command. */
export const ownTerminal: Terminal = { input: process.stdin, output: process.stderr };

/**
 * Has somebody type a name before something is done that can lose data.
 *
 * @param consequences what will be done, a line each
 * @returns false where something else was typed
 * @throws ThawError `InputInvalid` where there is no terminal to ask at
 */
export async function confirmByName(
  name: string,
  consequences: readonly string[],
  { input, output }: Terminal = ownTerminal,
): Promise<boolean> {
  if (input.isTTY !== true) {
    throw new ThawError('InputInvalid', `${consequences.join(' ')} Nobody is there to confirm it.`, {
      object: '--yes',
      hint: 'Give --yes where no terminal is.',
    });
  }
  for (const line of consequences) output.write(`${line}\n`);
  const asker = createInterface({ input, output });
  try {
    const closed = new Promise<string>((resolve) => asker.once('close', () => resolve('')));
    const answer = await Promise.race([asker.question(`Type ${name} to go on: `), closed]);
    return answer === name;
  } finally {
    asker.close();
  }
}
