// A reporter of Vitest: names the tests that failed once and passed when they were tried again. What waits for
// servers on a busy machine may fail so; a test that is named here again and again has a fault.
export default class SecondTries {
  onTestRunEnd(modules) {
    const flaky = modules
      .flatMap((module) => [...module.children.allTests()])
      .filter((test) => test.diagnostic()?.flaky);
    for (const test of flaky) {
      const [error] = test.result().errors ?? [];
      const why = error?.message?.split('\n')[0] ?? '';
      process.stdout.write(
        `passed on the second try: ${test.module.relativeModuleId} > ${test.fullName}: ${why}\n`,
      );
    }
  }
}
