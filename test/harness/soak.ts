/** Seconds that tests of random rounds go on: a few in `npm test`, minutes in `npm run soak`. */
export const soakSeconds = Number(process.env.THAW_SOAK_SECONDS ?? 4);
