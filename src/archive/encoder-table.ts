import type { ArchiveColumn } from './column-type.ts';
import { type Encoder, encodeScalar } from './encoder.ts';
import type { SlicerOptions } from './slicer.ts';
export function encoderOf(_column: ArchiveColumn, _options: SlicerOptions): Encoder {
  return encodeScalar;
}
