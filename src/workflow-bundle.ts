import { readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type WorkflowBundleOption } from '@temporalio/worker';

/** The bundle and the SDK version that made it: another version must not run it. */
const bundleFile = fileURLToPath(new URL('./workflow-bundle.code.js', import.meta.url));
const versionFile = fileURLToPath(new URL('./workflow-bundle.version', import.meta.url));

let bundled: ReturnType<typeof bundle> | null = null;

/** The code of all workflows: the one that the build left, else bundled once in this process, which takes a second. */
export async function workflowBundle(): Promise<WorkflowBundleOption> {
  const version = await readFile(versionFile, 'utf8').catch(() => null);
  if (version === sdkVersion()) return { codePath: bundleFile };
  bundled ??= bundle();
  return bundled;
}

/** Bundles the workflows for workers to come; a part of the build. */
export async function buildWorkflowBundle(): Promise<void> {
  await writeWorkflowBundle(`${bundleFile}.new`);
  await rename(`${bundleFile}.new`, bundleFile);
  await writeFile(versionFile, sdkVersion());
}

/** Bundles the workflows as they are now into a file. */
export async function writeWorkflowBundle(file: string): Promise<void> {
  const { code } = await bundle();
  await writeFile(file, code);
}

async function bundle() {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const file = (name: string) => fileURLToPath(new URL(`../workflows/${name}.${extension}`, import.meta.url));
  const quiet = () => {};
  return bundleWorkflowCode({
    workflowsPath: file('workflows'),
    workflowInterceptorModules: [file('interceptors')],
    // Each worker reads the whole bundle when it starts, and the source texts in its source map, which the
    // SDK requires, are most of it. Lines and names in stack traces stay.
    webpackConfigHook: (config) => ({
      ...config,
      mode: 'production',
      devtool: 'inline-nosources-cheap-source-map',
      optimization: { ...config.optimization, minimize: false },
    }),
    logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
}

function sdkVersion(): string {
  const { version } = createRequire(import.meta.url)('@temporalio/worker/package.json') as {
    version: string;
  };
  return version;
}
