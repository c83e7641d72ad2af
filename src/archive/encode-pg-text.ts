import * as ascii from './ascii.ts';
import type { Encoder } from './encoder.ts';
import { skipValue } from './json-scan.ts';
import { BadValue } from './slice-error.ts';

/** A value whose text is a JSON string, as its type's output function wrote it and its input function reads it. */
export const encodePgText: Encoder = (out, json, at) => {
  const first = json[at];
  if (first === ascii.quote) return out.string(json, at + 1);
  if (first === ascii.lowerN) return out.word(json, at);
  skipValue(json, at);
  throw new BadValue('is neither a string nor null, as every value of the encoding pg-text is');
};
