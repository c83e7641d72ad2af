import { isUtf8 } from 'node:buffer';
import * as ascii from './ascii.ts';
import { Malformed } from './slice-error.ts';

/** Throws `Malformed` unless the line at `at` is UTF-8. */
export function checkUtf8(json: Buffer, at: number): void {
  const end = json.indexOf(ascii.newline, at);
  if (isUtf8(json.subarray(at, end))) return;
  // The longest valid beginning, to within a character.
  let valid = at;
  let invalid = end;
  while (invalid - valid > 4) {
    let middle = (valid + invalid) >> 1;
    while (middle > valid && ((json[middle] as number) & 0xc0) === 0x80) middle -= 1;
    if (middle > valid && isUtf8(json.subarray(valid, middle))) valid = middle;
    else invalid = (valid + invalid) >> 1;
  }
  throw new Malformed(valid, 'bytes that are not UTF-8');
}
