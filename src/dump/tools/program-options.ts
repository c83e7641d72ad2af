import { ThawError } from '../../contract/thaw-error.ts';

/** An option that is not taken, for a reason. */
export interface Refused {
  readonly refused: string;
}

/** An option of a client program. */
export interface ProgramOption<Meaning> {
  readonly name: string;
  readonly short?: string;
  readonly value?: true;
  /** What becomes of it. */
  readonly meaning: Meaning | Refused;
}

/** An option as it was given. */
export interface GivenOption<Meaning> {
  readonly option: ProgramOption<Meaning>;
  readonly value: string;
}

/** Whose options are read, for messages. */
export interface OptionsPlace {
  readonly program: 'pg_restore' | 'pg_dump';
  /** Of the setting. */
  readonly name: string;
}

/**
 * Reads words as a client program does, by a closed list of options.
 *
 * @throws ThawError `InputInvalid` naming the option that is not known or refused
 */
export function readOptions<Meaning>(
  words: readonly string[],
  known: readonly ProgramOption<Meaning>[],
  { program, name }: OptionsPlace,
): GivenOption<Meaning>[] {
  const given: GivenOption<Meaning>[] = [];
  const rest = [...words];
  const find = (is: (option: ProgramOption<Meaning>) => boolean, called: string) => {
    const option = known.find(is);
    if (option === undefined) throw optionFault(name, called, `${program} has it not, or not here`);
    if (isRefused(option.meaning)) throw optionFault(name, `--${option.name}`, option.meaning.refused);
    return option;
  };
  const takeValue = (option: ProgramOption<Meaning>, inline: string | undefined) => {
    const value = inline ?? rest.shift();
    if (value === undefined) throw optionFault(name, `--${option.name}`, 'it needs a value');
    return value;
  };
  const takeLong = (word: string) => {
    const [, long = '', inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const option = find((one) => one.name === long, `--${long}`);
    if (option.value) given.push({ option, value: takeValue(option, inline) });
    else if (inline !== undefined) throw optionFault(name, `--${long}`, 'it takes no value');
    else given.push({ option, value: '' });
  };
  /** Several in one word, as in `-cO`; the first that takes a value takes the rest of the word, as in `-j4`. */
  const takeShort = (letters: string) => {
    for (let at = 0; at < letters.length; at += 1) {
      const letter = letters.charAt(at);
      const option = find((one) => one.short === letter, `-${letter}`);
      if (option.value) {
        given.push({ option, value: takeValue(option, letters.slice(at + 1) || undefined) });
        return;
      }
      given.push({ option, value: '' });
    }
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word.includes('\0')) throw optionFault(name, 'a word', 'it has a NUL character');
    if (/^--[^=]/.test(word)) takeLong(word);
    else if (/^-[^-]/.test(word)) takeShort(word.slice(1));
    else
      throw optionFault(name, word || 'an empty word', 'it is no option; what it means is named elsewhere');
  }
  return given;
}

/** An option in one word and in its long form: `--no-owner`, `--role=app`. */
export function longForm({ option, value }: GivenOption<unknown>): string {
  return option.value ? `--${option.name}=${value}` : `--${option.name}`;
}

/** @param called the option, as the message is to name it */
export function optionFault(name: string, called: string, reason: string): ThawError {
  return new ThawError('InputInvalid', `${name}: ${called}: ${reason}`, {
    object: name,
    hint: 'Leave it out. docs/dumps.md lists the options that can be given.',
  });
}

function isRefused(meaning: unknown): meaning is Refused {
  return typeof meaning === 'object' && meaning !== null && 'refused' in meaning;
}
