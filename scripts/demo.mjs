// npm run demo: makes a fresh clone ready, then shows a restore from beginning to end.
// npm run demo -- --keep: leaves everything running until Ctrl-C.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { bootstrap, root, say } from './bootstrap.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
bootstrap();
say('starting the demo');
const { runDemo } = await import(pathToFileURL(path.join(root, 'dist', 'src', 'stack', 'demo.js')).href);
process.exitCode = await runDemo({
  keep: process.argv.includes('--keep'),
  fixtures: path.join(root, 'test', 'fixtures'),
  print: (line) => process.stdout.write(`${line}\n`),
});
