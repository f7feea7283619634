// The Inspector's command line: a process per call, which keeps its tokens in its home directory.

import { npm, node22 } from '../harness/places.mjs';
import { run } from '../harness/program.mjs';
import { serveLines } from './lines.mjs';

const [server, document] = process.argv.slice(2);
const name = document ? ['--client-metadata-url', document] : [];
const LAUNCHER = npm('@modelcontextprotocol', 'inspector', 'clients', 'launcher', 'build', 'index.js');

await serveLines(async (text) => {
  const args = ['--cli', '--transport', 'http', '--server-url', server, ...name];
  const call = ['--method', 'tools/call', '--tool-name', 'echo', '--tool-args-json', JSON.stringify({ text })];
  const out = await run(node22, [LAUNCHER, ...args, ...call, '--format', 'json']);
  return JSON.parse(out).result.content[0].text;
});
