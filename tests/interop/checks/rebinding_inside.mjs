// Inside the namespaces of `rebinding.mjs`: a name server, the site to which the name leads at first, a canary on
// loopback to which it leads afterwards, and a Vestibule that is told of clients by that name. Says what it saw.

import { connect, createServer } from 'node:net';

import { authorizeUrl } from '../harness/authorize.mjs';
import { assert, assertEqual } from '../harness/checks.mjs';
import { DocumentHost } from '../harness/document_host.mjs';
import { NameServer } from '../harness/name_server.mjs';
import { killAll } from '../harness/program.mjs';
import { Vestibule } from '../harness/vestibule.mjs';

const [PUBLIC] = process.argv.slice(2);
const LOOPBACK = '127.0.0.1';
const CALLBACK = 'http://127.0.0.1/callback';

process.on('exit', killAll);

const site = await DocumentHost.start({ name: 'rebind.example', address: PUBLIC, port: 443 });
let knocks = 0;
const canary = createServer((socket) => {
  knocks += 1;
  socket.destroy();
});
await new Promise((resolve) => canary.listen(443, LOOPBACK, resolve));
const names = await NameServer.start(LOOPBACK);
// The public address is this machine's own here, which has to be permitted; no network of the house is.
let vestibule = await Vestibule.start('rebinding/own-address', site.trusted);

const outcome = await look().then((seen) => ({ seen }), (error) => ({ error: error.message }));
await vestibule.stop();
process.stdout.write(JSON.stringify(outcome), () => process.exit(0));

async function look() {
  names.say([PUBLIC]);
  await assertRefused('/leads-to-this-machine.json', PUBLIC);
  await vestibule.stop();
  vestibule = await Vestibule.start('rebinding/vestibule', [...site.trusted, '--fetch-networks', PUBLIC]);
  names.say([PUBLIC], [LOOPBACK]);
  const fetched = await ask('/turns.json', { requests: 1 });
  assert(fetched.headers.get('location')?.startsWith('/login'), `it was fetched, and yet: ${await fetched.text()}`);
  names.say([LOOPBACK]);
  await assertRefused('/leads-home.json');
  names.say([PUBLIC, LOOPBACK]);
  await assertRefused('/leads-to-both.json');
  // That it would have been noticed.
  await new Promise((resolve) => connect(443, LOOPBACK).on('close', resolve));
  assertEqual(knocks, 1, 'connections to the canary when there is one');
  return 'its own public address was refused; else asked once, and fetched from where the name led then; loopback never saw anybody';
}

/** Asks for authorization in the name of a document of the site, and sees where that has led. */
async function ask(path, { requests }) {
  const url = site.url(path);
  site.publish(path, { client_id: url, client_name: 'Rebinding', redirect_uris: [CALLBACK] });
  const answer = await fetch(authorizeUrl(vestibule.issuer, { clientId: url, redirectUri: CALLBACK }), { redirect: 'manual' });
  assertEqual(names.questions, 1, `questions for the address of ${url}`);
  assertEqual(site.requestsFor(path), requests, `requests that reached ${url}`);
  assertEqual(knocks, 0, 'connections to the canary');
  return answer;
}

async function assertRefused(path, networks = `${LOOPBACK},::1`) {
  const answer = await ask(path, { requests: 0 });
  assertEqual(answer.status, 400, 'the status');
  const [{ metadata }] = await vestibule.audit(site.url(path));
  assertEqual(metadata.reason, 'client_document_not_fetched', 'the reason');
  assert(metadata.mend.endsWith(`--fetch-networks ${networks}`), `it was refused for another reason: ${metadata.mend}`);
}
