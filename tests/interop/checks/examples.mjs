// What of `examples/forward_auth` no program of this suite runs: Traefik's file and the one for containers. They are only
// read, and it is looked at whether they hold together and say what the others say. What Traefik asks and does with the
// answers is in `tests/it/verify.rs`, after its documentation.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { assert, assertEqual } from '../harness/checks.mjs';
import { python, root } from '../harness/places.mjs';
import { run } from '../harness/program.mjs';
import { FORGED } from './reverse_proxies.mjs';

const EXAMPLES = path.join(root, 'examples', 'forward_auth');

const CHECKS = { 'example-traefik': checkTraefik, 'example-compose': checkCompose };

export const names = Object.keys(CHECKS);

export async function start(chosen) {
  return { checks: chosen.map((name) => [name, CHECKS[name]()]), stop() {} };
}

/** A file of the examples, read as YAML. */
async function yaml(name) {
  const program = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
  return JSON.parse(await run(python, ['-c', program, path.join(EXAMPLES, name)]));
}

async function checkTraefik() {
  const { http } = await yaml('traefik.yaml');
  const { routers, middlewares, services } = http;
  for (const [name, { middlewares: uses = [], service, rule }] of Object.entries(routers)) {
    for (const use of uses) assert(middlewares[use], `${name} uses ${use}, which is not there`);
    assert(services[service], `${name} leads to ${service}, which is not there`);
    // Whatever leads past Vestibule asks it.
    assert(service === 'vestibule' || uses.includes('known'), `${name} leads to ${service} unasked: ${rule}`);
  }
  assertEqual(routers.notes.middlewares, ['any-origin', 'known'], 'the order for MCP clients in a browser');
  const { address, authResponseHeadersRegex } = middlewares.known.forwardAuth;
  assertEqual(address, `${services.vestibule.loadBalancer.servers[0].url}/verify`, 'where it asks');
  // Go's notation for a match in any case.
  const [, expression] = /^\(\?i\)(.+)$/.exec(authResponseHeadersRegex);
  const taken = new RegExp(expression, 'i');
  const told = ['User', 'Email', 'Client', 'Scope'].map((name) => `X-Vestibule-${name}`);
  for (const name of ['Authorization', ...told, ...Object.keys(FORGED)]) assert(taken.test(name), `${name} passes`);
  for (const name of ['Cookie', 'Mcp-Session-Id', 'Accept', 'X-Authorization', 'X-Vestibules']) {
    assert(!taken.test(name), `${name} does not pass`);
  }
  return 'holds together; whatever leads to a server behind asks first; takes every spelling of what it tells';
}

async function checkCompose() {
  const { services, networks } = await yaml('compose.yaml');
  const { vestibule, caddy } = services;
  const address = caddy.networks.inside.ipv4_address;
  assertEqual(vestibule.environment.VESTIBULE_TRUSTED_PROXIES, address, 'who is trusted');
  const [{ subnet }] = networks.inside.ipam.config;
  assert(address.startsWith(subnet.replace(/0\/24$/, '')), `${address} is not in ${subnet}`);
  const caddyfile = readFileSync(path.join(EXAMPLES, 'Caddyfile'), 'utf8');
  for (const [name, place] of Object.entries(caddy.environment)) {
    assert(caddyfile.includes(`{$${name}:`), `the Caddyfile knows no ${name}`);
    assert(services[place.split(':')[0]], `${place} is no container`);
  }
  const asked = new Set([...caddyfile.matchAll(/\{\$([A-Z]+):/g)].map(([, name]) => name));
  assertEqual([...asked].sort(), Object.keys(caddy.environment).sort(), 'what the Caddyfile is told');
  const reachable = Object.keys(services).filter((name) => services[name].ports);
  assertEqual(reachable, ['caddy'], 'what can be reached from outside');
  const dockerfile = path.join(EXAMPLES, vestibule.build.context, vestibule.build.dockerfile);
  assert(existsSync(dockerfile), `there is no ${dockerfile}`);
  return 'holds together; Caddy alone is trusted, and alone reached from outside';
}
