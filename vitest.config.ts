import { defineConfig } from 'vitest/config';

/** What the name of a test says it needs: x.pg.test.ts needs PostgreSQL, and so on; x.test.ts nothing. */
const needsStack = 'test/**/*.{pg,s3,temporal,fault,browser}.test.ts';

// It would say so in every run; what Node Thaw runs on is told by package.json.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const shared = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  teardownTimeout: 60_000,
  // A busy machine takes longer than the second that is the default.
  expect: { poll: { timeout: 20_000 } },
  // The native core of the Temporal SDK does not bear worker threads.
  pool: 'forks' as const,
};

export default defineConfig({
  test: {
    // Most tests wait for something most of the time: with three workers two cores are busy for 83 % only.
    maxWorkers: 4,
    projects: [
      {
        test: {
          ...shared,
          name: 'pure',
          include: ['test/**/*.test.ts'],
          exclude: [needsStack],
          // To load the modules anew for each file took a third of the time of these tests.
          isolate: false,
        },
      },
      {
        test: {
          ...shared,
          name: 'stack',
          include: [needsStack],
          globalSetup: ['test/harness/global-setup.ts'],
          // To load the SDKs anew for each file took a fifth of the CPU of all tests.
          isolate: false,
        },
      },
    ],
  },
});
