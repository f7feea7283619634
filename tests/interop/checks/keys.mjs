// Machines that hold a key in place of a secret (`private_key_jwt`, RFC 7523 2.2), and sign with what their SDK signs
// with. Nobody is asked. The owner gave Vestibule their public keys, or told it where they are published.

import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { KEY_CLIENTS } from '../clients/index.mjs';
import { assert, assertEqual, blame, MeetingPoint } from '../harness/checks.mjs';
import { Client } from '../harness/client.mjs';
import { DocumentHost } from '../harness/document_host.mjs';
import { Homelab } from '../harness/homelab.mjs';
import { output } from '../harness/places.mjs';

/** Name to the program, how it signs, and whether its public key is given to Vestibule or published. */
const MACHINES = {
  'key-python-mcp': { program: 'python-mcp', algorithm: 'RS256', isPublished: false },
  'key-typescript-v2': { program: 'typescript-v2', algorithm: 'ES256', isPublished: true },
};
const PAIRS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

export const names = Object.keys(MACHINES);

export async function start(chosen) {
  const host = await DocumentHost.start();
  const homelab = await Homelab.startUninhabited('keys', host.settings);
  const crash = new MeetingPoint(chosen.length, () => homelab.crash());
  const checks = chosen.map((name) => [name, check(homelab, host, name, crash)]);
  const stop = () => Promise.all([homelab.stop(), host.stop()]);
  return { checks, stop };
}

async function check(homelab, host, name, crash) {
  const { program, algorithm, isPublished } = MACHINES[name];
  const { publicKey, privateKey } = PAIRS[algorithm]();
  const key = written(name, 'private.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const set = { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: algorithm, kid: name }] };
  const place = `/${name}/keys.json`;
  const url = host.publish(place, set);

  const { vestibule, mcp } = homelab;
  const terms = ['--name', name, '--audience', mcp.url, '--scopes', 'read'];
  const keys = isPublished ? ['--jwks-uri', url] : ['--jwks', written(name, 'public.json', JSON.stringify(set))];
  const { client_id: id } = await vestibule.command('client', 'add', ...terms, ...keys);
  const command = [...KEY_CLIENTS[program], mcp.url, vestibule.issuer, id, key, algorithm];
  const client = new Client(homelab, name, command, id);
  try {
    const token = await client.call('hello');
    assertEqual([token.client_id, token.sub, token.scope], [id, id, 'read'], 'whose token it is, and for what');
    crash.pass(client);
    await crash.done;
    await client.call('back again');
    await client.getsPastExpiry('client_credentials');
    await client.assertNothingRefused();
    const tokens = await client.tokens('client_credentials');
    assert(tokens.every(({ metadata }) => metadata.scope === 'read'), JSON.stringify(tokens));
    assertEqual(host.requestsFor(place), isPublished ? 1 : 0, 'times that its keys were fetched');
    const way = isPublished ? 'fetched once' : 'given by the owner';
    return `signs with ${algorithm}, keys ${way}, ${tokens.length} tokens, one of them after a crash`;
  } catch (error) {
    throw blame(error, [client.log, ...homelab.parties]);
  } finally {
    crash.pass(client);
    await client.stop();
  }
}

/** A file in the home of a machine. */
function written(machine, name, text) {
  const file = path.join(output, 'homes', machine, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
