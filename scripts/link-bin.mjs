// Makes `npx thaw` run this very build: npm links the commands of dependencies only, and would otherwise
// install the project into its cache first.
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { root } from './bootstrap.mjs';

const main = path.join(root, 'dist', 'src', 'cli', 'main.js');
const link = path.join(root, 'node_modules', '.bin', 'thaw');
chmodSync(main, 0o755);
mkdirSync(path.dirname(link), { recursive: true });
rmSync(link, { force: true });
symlinkSync(path.relative(path.dirname(link), main), link);
