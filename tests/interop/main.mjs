// The suite: starts the chosen checks, side by side, and reports on each.
//
// A file of `checks/` has `names`, and `start(chosen, browser, hosts)`, which sets up what its checks share and returns
// `checks`, pairs of a name and a promise (of a sentence on what was seen to hold, or of an error), `stop`, and where they
// are busy at first `calm`, a promise for which the next group waits.

import { mkdirSync, rmSync } from 'node:fs';

import * as clients from './checks/clients.mjs';
import * as conformance from './checks/conformance.mjs';
import * as documents from './checks/documents.mjs';
import * as examples from './checks/examples.mjs';
import * as guard from './checks/guard.mjs';
import * as guardConformance from './checks/guard_conformance.mjs';
import * as keys from './checks/keys.mjs';
import * as pages from './checks/pages.mjs';
import * as rebinding from './checks/rebinding.mjs';
import * as reverseProxies from './checks/reverse_proxies.mjs';
import * as redirects from './checks/redirects.mjs';
import { Report } from './harness/checks.mjs';
import { startBrowser } from './harness/person.mjs';
import { output } from './harness/places.mjs';
import { killAll } from './harness/program.mjs';
import { TestHosts } from './harness/test_hosts.mjs';

// The clients first: most of their time they wait for tokens to end.
const GROUPS = [keys, clients, guard, reverseProxies, documents, conformance, guardConformance, rebinding, examples, redirects, pages];

const known = GROUPS.flatMap(({ names }) => names);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no check ${unknown.join(', ')}. There are: ${known.join(', ')}`);
  process.exit(2);
}
const isChosen = (name) => wanted.length === 0 || wanted.includes(name);

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const hosts = await TestHosts.start();
const browser = await startBrowser({ hosts: hosts.address });
const report = new Report();
const running = [];
for (const group of GROUPS) {
  const chosen = group.names.filter(isChosen);
  if (chosen.length === 0) continue;
  const failed = (error) => ({ checks: chosen.map((name) => [name, Promise.reject(error)]), stop() {} });
  const { checks, calm, stop } = await group.start(chosen, browser, hosts).catch(failed);
  running.push(Promise.all(checks.map(([name, outcome]) => report.check(name, outcome))).then(stop));
  await calm;
}
await Promise.all(running);
await browser.close();
process.exit(report.close());
