// The conformance suite of MCP, in its mode for servers: of a server that knows nothing of authorization it finds the same
// with the guard before it as without, check by check, whatever that is.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { assert, assertEqual, blame } from '../harness/checks.mjs';
import { node22, npm, output } from '../harness/places.mjs';
import { Program } from '../harness/program.mjs';
import { TokenAdder } from '../harness/token_adder.mjs';
import { Vestibule } from '../harness/vestibule.mjs';
import { OpenServer } from '../servers/index.mjs';

const SUITE = npm('@modelcontextprotocol', 'conformance', 'dist', 'index.js');

/** Name to the server that is looked at, to the guard's own rules for it, and to how many checks at least pass. */
const SERVERS = {
  'guard-conformance-everything': { server: 'everything', rules: [], passing: 50 },
  'guard-conformance-fastmcp': { server: 'conformance', rules: [], passing: 150 },
  // The guard looks into each body before it passes, and refuses itself what a server might not.
  'guard-conformance-rules': { server: 'conformance', rules: ['--require', 'tools/call:never_*=write'], passing: 150 },
};

/** What the guard mends where the server behind does not: it answers to no host but its own. */
const MENDED = 'server-dns-rebinding-protection/localhost-host-rebinding-rejected';

export const names = Object.keys(SERVERS);

export async function start(chosen) {
  return { checks: chosen.map((name) => [name, check(name)]), stop() {} };
}

async function check(name) {
  const server = await OpenServer[SERVERS[name].server](`${name}/server`);
  const vestibule = await Vestibule.start(`${name}/vestibule`);
  const guarded = `${vestibule.issuer}/guarded`;
  const terms = ['--upstream', server.bareUrl, '--scopes', 'read write', ...SERVERS[name].rules];
  await vestibule.command('resource', 'add', guarded, ...terms);
  const adder = await TokenAdder.before(guarded, await token(vestibule, guarded));
  try {
    const bare = await verdicts(`${name}/bare`, server.bareUrl);
    const behind = await verdicts(`${name}/guarded`, adder.url);
    const expected = bare.map((verdict) => verdict.replace(`${MENDED}: FAILURE`, `${MENDED}: SUCCESS`));
    const [lost, won] = [without(expected, behind), without(behind, expected)];
    assertEqual({ lost, won }, { lost: [], won: [] }, 'what is found without the guard only, and with it only');
    const passed = bare.filter((verdict) => verdict.endsWith(': SUCCESS')).length;
    assert(passed >= SERVERS[name].passing, `only ${passed} of ${bare.length} checks pass at all`);
    const mended = without(behind, bare).length;
    const same = `${bare.length - mended} end the same behind the guard, ${mended} better`;
    return `${bare.length} checks, ${passed} of them pass; ${same}`;
  } catch (error) {
    throw blame(error, [`${name}/vestibule`, `${name}/guarded`]);
  } finally {
    await adder.stop();
    await vestibule.stop();
    await server.stop();
  }
}

/** What is left of a list without what is in another, one by one. */
function without(list, others) {
  const rest = [...list];
  for (const other of others) {
    const at = rest.indexOf(other);
    if (at >= 0) rest.splice(at, 1);
  }
  return rest;
}

/** A machine's token for a guarded server. */
async function token(vestibule, audience) {
  const terms = ['--name', 'conformance', '--audience', audience, '--scopes', 'read'];
  const machine = await vestibule.command('client', 'add', ...terms);
  const response = await fetch(`${vestibule.issuer}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${machine.client_id}:${machine.client_secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
  });
  const { access_token } = await response.json();
  assert(access_token, `no token: ${response.status}`);
  return access_token;
}

/** Every check that the suite makes of the server at `url`, and how it ends: `SCENARIO/CHECK: STATUS`. */
async function verdicts(name, url) {
  const results = path.join(output, name);
  const args = ['server', '--suite', 'all', '--url', url, '-o', results];
  const suite = new Program(name, node22, [SUITE, ...args]);
  // It fails where any check does, and here some always do.
  const status = await suite.ended();
  assert([0, 1].includes(status), `the suite ended with ${status}`);
  const files = readdirSync(results, { recursive: true }).filter((file) => path.basename(file) === 'checks.json');
  return files.sort().flatMap((file) => {
    const scenario = path.dirname(file).replace(/-\d{4}-\d\d-\d\dT[-\dZ]+$/, '');
    const checks = JSON.parse(readFileSync(path.join(results, file), 'utf8'));
    // What it only notes down is no verdict, and depends on how many events come in what time.
    return checks.filter(({ status }) => status !== 'INFO').map(({ id, status }) => `${scenario}/${id}: ${status}`);
  });
}
