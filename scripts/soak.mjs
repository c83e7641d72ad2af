// npm run soak: plays random rounds against the loader, the workflows and snapshots for minutes instead of seconds.
// THAW_SOAK_SECONDS says for how many each; THAW_SEED, which a failure prints, plays the same rounds again.
process.env.THAW_SOAK_SECONDS ??= '300';
process.argv.push(
  ...['test/load/rounds.pg.test.ts', 'test/restore/turn.temporal.test.ts'],
  ...['test/snapshot/exact/restored-schemas.property.pg.test.ts', 'test/fault/killed-snapshot.fault.test.ts'],
);
await import('./test.mjs');
