// Each real client again, named by the URL of its metadata document in place of a registration (Client ID Metadata
// Documents, draft 02): who vouches for it, fetched once, and known after a crash of Vestibule without being asked for.

import { CLIENTS } from '../clients/index.mjs';
import { assert, assertEqual, blame, MeetingPoint } from '../harness/checks.mjs';
import { Client } from '../harness/client.mjs';
import { DocumentHost, HOST } from '../harness/document_host.mjs';
import { Homelab } from '../harness/homelab.mjs';

const PREFIX = 'document-';

export const names = Object.keys(CLIENTS).map((name) => PREFIX + name);

export async function start(chosen, browser) {
  const host = await DocumentHost.start();
  const homelab = await Homelab.start('documents', browser, host.settings);
  const crash = new MeetingPoint(chosen.length, () => homelab.crash());
  const checks = chosen.map((name) => [name, check(homelab, host, name, crash)]);
  const stop = () => Promise.all([homelab.stop(), host.stop()]);
  return { checks, calm: crash.done, stop };
}

async function check(homelab, host, name, crash) {
  const path = `/${name}/client.json`;
  const url = host.url(path);
  host.publish(path, document(url, `The program ${name}`));
  const client = new Client(homelab, name, [...CLIENTS[name.slice(PREFIX.length)], homelab.mcp.url, url]);
  try {
    await client.connects();
    assertEqual(client.id, url, 'the client_id');
    assertTold(client.visits[0].consent, name, url);
    crash.pass(client);
    await crash.done;
    await client.call('back again');
    await client.getsPastExpiry();
    await assertNobodyRegistered(homelab, client);
    assertEqual(host.requestsFor(path), 1, 'times that the document was fetched');
    return `vouched for by ${HOST}, asked once, fetched once, refreshed after a crash`;
  } catch (error) {
    throw blame(error, [client.log, ...homelab.parties]);
  } finally {
    crash.pass(client);
    await client.stop();
  }
}

/** What a native client publishes. It listens on whatever port is free (RFC 8252 7.3). */
function document(client_id, client_name) {
  const paths = ['/callback', '/oauth/callback'];
  return {
    client_id,
    client_name,
    redirect_uris: ['127.0.0.1', 'localhost'].flatMap((host) => paths.map((path) => `http://${host}${path}`)),
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
}

/** The consent page says who vouches for what, and where that ends. */
function assertTold(consent, name, url) {
  for (const words of [`The program ${name}`, `Vouched for by ${HOST}`, url, 'not for the program that asks']) {
    assert(consent.includes(words), `the consent page does not say "${words}" but: ${consent}`);
  }
}

async function assertNobodyRegistered(homelab, client) {
  const known = await homelab.vestibule.command('client', 'list');
  const ways = new Set(known.map(({ registered_by }) => registered_by));
  assertEqual([...ways], ['document'], 'the ways in which clients came to be known');
  const learnt = await client.audit('client.registered');
  assertEqual(learnt.map(({ metadata }) => metadata.reason), ['document'], 'what made it known');
}
