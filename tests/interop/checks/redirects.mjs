// After "Allow" the browser really arrives at the client, wherever that is. A Content-Security-Policy with `form-action`
// would stop it at the first hop that the policy does not name, long after the form was sent.

import { assert, assertEqual, blame } from '../harness/checks.mjs';
import { authorizeUrl } from '../harness/authorize.mjs';
import { Callback } from '../clients/callback.mjs';
import { Homelab } from '../harness/homelab.mjs';

/** Name to the client's redirect URI, and where the browser ends when that sends it on. */
const ROADS = {
  'redirect-loopback': { redirectUri: async () => (await Callback.listen()).url },
  'redirect-https': { redirectUri: () => 'https://app.test/callback' },
  'redirect-app-link': { redirectUri: () => 'com.example.app:/callback' },
  'redirect-to-site': { redirectUri: () => 'https://one.test/callback', onward: 'https://another.test/welcome' },
  'redirect-to-app': { redirectUri: () => 'https://two.test/callback', onward: 'example-app://welcome' },
};
/** That the checks above would notice. */
const CONTROL = 'redirect-control';

export const names = [...Object.keys(ROADS), CONTROL];

export async function start(chosen, browser, hosts) {
  const homelab = await Homelab.start('redirects', browser);
  const checks = chosen.map((name) => {
    const outcome = name === CONTROL ? control(homelab) : arrives(homelab, name, hosts);
    return [name, outcome.catch((error) => Promise.reject(blame(error, ['redirects/vestibule'])))];
  });
  return { checks, stop: () => homelab.stop() };
}

/** The authorization URL of a client with that redirect URI, which the owner has added. */
async function request({ vestibule, mcp }, name, redirectUri) {
  const client = ['--public', '--name', name, '--redirect-uri', redirectUri];
  const { client_id: clientId } = await vestibule.command('client', 'add', ...client);
  return authorizeUrl(vestibule.issuer, { clientId, redirectUri, resource: mcp.url, state: name });
}

async function arrives(homelab, name, hosts) {
  const road = ROADS[name];
  const redirectUri = await road.redirectUri();
  if (road.onward) hosts.redirect(redirectUri, road.onward);
  const visit = await homelab.person.visit(await request(homelab, name, redirectUri), name);
  assert(visit.answered.includes('/consent'), 'the person was not asked');
  if (road.onward) {
    assertEqual(visit.arrived, road.onward, 'where the browser arrived');
    return `${redirectUri} -> ${road.onward}`;
  }
  const [place, query] = visit.arrived.split('?');
  const parameters = new URLSearchParams(query);
  assertEqual(place, redirectUri, 'where the browser arrived');
  assert(parameters.get('code'), 'there is no code');
  assertEqual(parameters.get('state'), name, 'the state');
  assertEqual(parameters.get('iss'), homelab.vestibule.issuer, 'the issuer');
  return redirectUri;
}

async function control(homelab) {
  const { page } = await homelab.person.openTab(CONTROL);
  await page.goto(await request(homelab, CONTROL, 'https://app.test/callback'));
  // The browser came by redirects, on which nothing can be changed; on a reload it can.
  await page.route(page.url(), async (route) => {
    const response = await route.fetch();
    const policy = `${response.headers()['content-security-policy']}; form-action 'self'`;
    await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } });
  });
  await page.reload();
  const complaint = page.waitForEvent('console', (message) => message.text().includes('form-action'));
  await page.getByRole('button', { name: 'Allow', exact: true }).click({ noWaitAfter: true });
  await complaint;
  assertEqual(new URL(page.url()).pathname, '/consent', 'where the browser stays');
  await page.close();
  return 'with form-action it is stopped, and that is noticed';
}
