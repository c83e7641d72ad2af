/** The last step of the build: bundles the workflows once, so that no worker has to when it starts. */
import { buildWorkflowBundle } from './workflow-bundle.ts';

await buildWorkflowBundle();
