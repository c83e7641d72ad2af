import { expect, test } from 'vitest';
import { parseCron } from '../../src/config/cron.ts';

test.each([
  ['0 5 * * *', ['0 0 5 * * * *']],
  [' 30  4\t1,15 * 1-5 ', ['0 30 4 1,15 * * *', '0 30 4 * * 1,2,3,4,5 *']],
  ['*/20 8-10/2 ? feb-APR,12 *', ['0 0,20,40 8,10 * 2,3,4,12 * *']],
  ['15 10 0 * * Sun', ['15 10 0 * * 0 *']],
  ['0 0 * * 5-7', ['0 0 0 * * 0,5,6 *']],
  ['0 0 * * 0-6', ['0 0 0 * * * *']],
  ['50/5 0 1 1 ?', ['0 50,55 0 1 1 * *']],
  ['0 0 29 2 *', ['0 0 0 29 2 * *']],
  ['0 0 31 2 1', ['0 0 0 31 2 * *', '0 0 0 * 2 1 *']],
  ['@Daily', ['0 0 0 * * * *']],
  ['@weekly', ['0 0 0 * * 0 *']],
])('%j', (text, expressions) => {
  expect(parseCron(text)).toEqual({ expressions });
});

test.each([
  ['', /five fields/],
  ['daily', /five fields/],
  ['* * * *', /five fields/],
  ['0 0 0 1 1 * 2026', /five fields/],
  ['60 * * * *', /minute in "60"/],
  ['* 24 * * *', /hour/],
  ['* * 0 * *', /day of the month/],
  ['* * * 13 *', /month/],
  ['* * * * 8', /day of the week/],
  ['? * * * *', /minute/],
  ['* * * * Sunny', /day of the week/],
  ['5-1 * * * *', /minute/],
  ['1-2-3 * * * *', /minute/],
  ['*/0 * * * *', /minute/],
  ['1,,2 * * * *', /minute/],
  ['-1 * * * *', /minute/],
  ['@every', /five fields/],
  ['0 0 31 4,6 *', /no month has/],
])('%j is refused', (text, reason) => {
  expect(parseCron(text)).toMatch(reason);
});
