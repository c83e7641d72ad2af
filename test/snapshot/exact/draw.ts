import fc from 'fast-check';

/** Draws a value, in a way that a failure can be made smaller. */
export type Draw = fc.GeneratorValue;

const numbers = (least: number, most: number) => fc.integer({ min: least, max: most });

/** A whole number, both ends included. */
export function between(draw: Draw, least: number, most: number): number {
  return draw(numbers, least, most);
}

/** One of the values. */
export function pick<const Value>(draw: Draw, ...values: readonly Value[]): Value {
  const value = values[between(draw, 0, values.length - 1)];
  if (value === undefined) throw new TypeError('There is nothing to pick from.');
  return value;
}

/** True or false. */
export function isSo(draw: Draw): boolean {
  return between(draw, 0, 1) === 1;
}
