// The conformance suite of MCP, in its mode for authorization servers: all of it, with the person at the browser for the
// step that needs one. The server runs as it always does.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { assert, assertEqual, blame } from '../harness/checks.mjs';
import { Homelab } from '../harness/homelab.mjs';
import { node22, npm, output } from '../harness/places.mjs';
import { freePort } from '../harness/ports.mjs';
import { Program } from '../harness/program.mjs';

const SUITE = npm('@modelcontextprotocol', 'conformance', 'dist', 'index.js');

/** All of it. */
const EXPECTED = [
  'authorization-code-grant: SUCCESS',
  'authorization-server-metadata-cimd: SUCCESS',
  'authorization-server-metadata: SUCCESS',
];

export const names = ['conformance'];

export async function start([name], browser) {
  const homelab = await Homelab.start(name, browser);
  return { checks: [[name, check(homelab, name)]], stop: () => homelab.stop() };
}

async function check(homelab, name) {
  const { vestibule, mcp, person } = homelab;
  const port = String(await freePort());
  const callback = `http://127.0.0.1:${port}/callback`;
  // Public: to a server that lists `none` the suite never shows a secret, even if it has one.
  const kind = ['--public', '--name', name, '--redirect-uri', callback];
  const client = await vestibule.command('client', 'add', ...kind);
  const args = ['--url', vestibule.issuer, '--client-id', client.client_id, '--resource', mcp.url];
  const results = path.join(output, name, 'results');
  const program = `${name}/suite`;
  const suite = new Program(program, node22, [SUITE, 'authorization', ...args, '-p', port, '-o', results]);
  try {
    const [url] = await suite.lineWith(/^http\S+$/);
    await suite.lineWith(/Callback server started/);
    const visit = await person.visit(url, name);
    assert(visit.arrived.startsWith(callback), `the browser arrived at ${visit.arrived}`);
    const [, passed, failed] = await suite.lineWith(/^Total: (\d+) passed, (\d+) failed/);
    assertEqual(await suite.ended(), 0, 'the exit status');
    // The sum leaves out what the suite only warns of.
    const found = outcomes(results);
    assertEqual(found, EXPECTED, 'what the suite found');
    assertEqual([passed, failed], [String(found.length), '0'], 'checks passed and failed');
    return `${passed} checks, nothing failed, no warning`;
  } catch (error) {
    throw blame(error, [program, `${name}/vestibule`]);
  } finally {
    await suite.stop();
  }
}

/** Every check that the suite made, and how it ended. */
function outcomes(results) {
  const files = readdirSync(results, { recursive: true }).filter((file) => path.basename(file) === 'checks.json');
  const checks = files.flatMap((file) => JSON.parse(readFileSync(path.join(results, file), 'utf8')));
  return checks.map(({ id, status }) => `${id}: ${status}`).sort();
}
