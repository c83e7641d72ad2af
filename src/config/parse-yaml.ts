import { parse, YAMLParseError } from 'yaml';
import { ThawError } from '../contract/thaw-error.ts';

/**
 * Reads YAML.
 *
 * @param file what messages name it
 * @throws ThawError `ConfigInvalid` with the line
 */
export function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, { merge: true });
  } catch (error) {
    const line = error instanceof YAMLParseError ? error.linePos?.[0].line : undefined;
    // Its message quotes the lines around the mistake, which may hold a password.
    const reason =
      error instanceof YAMLParseError ? error.code.toLowerCase().replaceAll('_', ' ') : 'unreadable';
    throw new ThawError('ConfigInvalid', `${file}${line ? `:${line}` : ''}: not valid YAML (${reason})`, {
      object: file,
      hint: `Correct ${file}.`,
    });
  }
}
