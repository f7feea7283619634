// nginx and Caddy, with the files of `examples/forward_auth`, ask Vestibule who may pass: a real client goes from the bare
// URL of an MCP server to its streams, a real browser to the page that it wanted, and whoever tries to get in by another
// spelling of a path, a host or a header does not.

import { Callback } from '../clients/callback.mjs';
import { CLIENTS } from '../clients/index.mjs';
import { authorizeUrl, tokenRequest } from '../harness/authorize.mjs';
import { assert, assertEqual, blame } from '../harness/checks.mjs';
import { Conversation } from '../harness/conversation.mjs';
import { ALICE } from '../harness/homelab.mjs';
import { BOB, ProxiedHouse } from '../harness/proxied_house.mjs';
import { PROXIES } from '../harness/reverse_proxy.mjs';
import { assertEnds, assertOpensStream, assertProgressInTime, assertStreamOutlives } from '../harness/streams.mjs';

/** What is checked of each. */
const CHECKS = {
  client: (house) => checkClient(house, 'client', house.notesUrl),
  guard: (house) => checkClient(house, 'guard', house.guardedUrl),
  machine: checkMachine,
  browser: checkBrowser,
  paths: checkPaths,
};

export const names = PROXIES.flatMap((kind) => Object.keys(CHECKS).map((part) => `${kind}-${part}`));

export async function start(chosen, browser) {
  const kinds = PROXIES.filter((kind) => chosen.some((name) => name.startsWith(`${kind}-`)));
  const houses = await Promise.all(kinds.map((kind) => ProxiedHouse.start(kind, browser)));
  const checks = houses.flatMap((house) => {
    const mine = chosen.filter((name) => name.startsWith(`${house.name}-`));
    return mine.map((name) => [name, check(house, CHECKS[name.slice(house.name.length + 1)])]);
  });
  return { checks, stop: () => Promise.all(houses.map((house) => house.stop())) };
}

async function check(house, part) {
  try {
    return await part(house);
  } catch (error) {
    throw blame(error, house.parties);
  }
}

/** A real MCP client, from the bare URL of the server that the proxy passes on, or of the one that Vestibule does. */
async function checkClient(house, name, url) {
  const caller = `${house.name}-${name}`;
  const command = [...CLIENTS['typescript-v1'], url];
  const client = new Conversation(`${house.name}/${name}`, caller, command, house.person, house.environment);
  try {
    assertEqual(await client.say({ tool: 'echo', arguments: { message: 'hello' } }), 'Echo: hello', 'the answer');
    const [{ clientId }] = house.person.visitsOf(caller);
    const stream = await assertOpensStream(house.notes, clientId);
    assertEqual(stream.values('x-vestibule-user'), [ALICE.name], 'the user that the server is told of');
    assertEqual(stream.values('x-vestibule-scope'), ['read write'], 'the scope that the server is told of');
    assertEqual(stream.values('authorization'), [], 'the token that the server is told of');
    const [silence] = await Promise.all([
      assertStreamOutlives(house.notes, client, stream),
      assertProgressInTime(client),
    ]);
    const end = await assertEnds(house.notes, client, stream, true);
    return `from the bare URL to a call; progress passes, a stream delivers after ${silence} s of silence, ${end}`;
  } finally {
    await client.stop();
  }
}

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'a machine', version: '1' } },
});

/** The first request of a session. */
function initialize(house, headers) {
  const accept = 'application/json, text/event-stream';
  const all = { 'content-type': 'application/json', accept, ...headers };
  return house.ask(house.notesUrl, { method: 'POST', headers: all, body: INITIALIZE });
}

/** Spellings of the headers in which servers are told who somebody is. */
export const FORGED = {
  'X-Vestibule-User': 'mallory',
  'x-vestibule-email': 'mallory@evil.test',
  X_Vestibule_User: 'mallory',
  'X-Vestibule_User': 'mallory',
  'X_Vestibule-Client': 'mallory',
  'X.Vestibule.User': 'mallory',
};

/** Whatever a program may send that is not signed in, or not any more. */
async function checkMachine(house) {
  await assertShownTheWay(house);
  await assertPreflight(house);

  // A machine of its own has no person, whom somebody could forge.
  const terms = ['--name', 'machine', '--audience', house.notesUrl, '--scopes', 'read'];
  const machine = await house.vestibule.command('client', 'add', ...terms);
  const token = await machineToken(house, machine);
  const answer = await initialize(house, { authorization: `Bearer ${token}`, ...FORGED });
  assertEqual(answer.status, 200, 'the status');
  const seen = house.notes.witness.requests.findLast(({ url, method }) => method === 'POST' && url === '/mcp');
  const told = ['user', 'email', 'client', 'scope'].map((name) => seen.values(`x-vestibule-${name}`).join());
  assertEqual(told, ['', '', machine.client_id, 'read'], 'what the server is told of the machine');
  assertEqual(seen.values('authorization'), [], 'the token that the server is told of');

  const wrong = await initialize(house, { authorization: 'Bearer wrong' });
  assertEqual(wrong.status, 401, 'the status for a wrong token');
  assert(wrong.headers['www-authenticate'].includes('error="invalid_token"'), wrong.headers['www-authenticate']);

  const grant = await personToken(house);
  const withGrant = () => initialize(house, { authorization: `Bearer ${grant.token}` });
  assertEqual((await withGrant()).status, 200, 'the status with a grant');
  await house.vestibule.command('grant', 'revoke', grant.id);
  assertEqual((await withGrant()).status, 401, 'the status once the grant was revoked');
  return '401 with the way to a token, never a redirect; nothing forged arrives; a revoked grant ends at once';
}

/** Without a token a machine is told where to get one, in headers and body as Vestibule says them, and never redirected. */
async function assertShownTheWay(house) {
  for (const accept of ['application/json, text/event-stream', 'text/html']) {
    const answer = await initialize(house, { accept });
    assertEqual(answer.status, 401, `the status, ${accept}`);
    assertEqual(answer.headers.location, undefined, 'a redirect');
    const document = `${new URL(house.notesUrl).origin}/.well-known/oauth-protected-resource/mcp`;
    const challenge = `Bearer resource_metadata="${document}", scope="read write"`;
    assertEqual(answer.headers['www-authenticate'], challenge, 'the challenge');
    assertEqual(answer.headers['access-control-allow-origin'], '*', 'who may read it');
    assertEqual(JSON.parse(answer.body).error, 'invalid_token', 'the error');
    const metadata = await house.ask(document);
    assertEqual(JSON.parse(metadata.body).resource, house.notesUrl, 'the resource');
    assertEqual(JSON.parse(metadata.body).authorization_servers, [house.issuer], 'who gives tokens');
  }
}

/** A browser that asks whether a page of another origin may ask is told so, without a token. */
async function assertPreflight(house) {
  const headers = {
    origin: 'https://inspector.test',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization, mcp-protocol-version',
  };
  const answer = await house.ask(house.notesUrl, { method: 'OPTIONS', headers });
  assertEqual(answer.status, 204, 'the status of a preflight');
  assertEqual(answer.headers['access-control-allow-origin'], '*', 'the origins');
  assertEqual(answer.headers['access-control-allow-headers'], 'authorization, mcp-protocol-version', 'the headers');
  assert(answer.headers['access-control-allow-methods'].includes('DELETE'), 'DELETE is not allowed');
  const app = await house.ask(`${house.wikiUrl}/`, { method: 'OPTIONS', headers });
  assertEqual(app.status, 401, 'the status of a preflight at the web app');
}

/** A token for the MCP server, for a machine. */
async function machineToken(house, { client_id, client_secret }) {
  const answer = await house.ask(`${house.issuer}/oauth/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: `${new URLSearchParams({ grant_type: 'client_credentials', resource: house.notesUrl })}`,
  });
  return JSON.parse(answer.body).access_token;
}

/** A token for the MCP server that a person allowed, and the id of the grant. */
async function personToken(house) {
  const { url: redirectUri } = await Callback.listen();
  const kind = ['--public', '--name', 'by hand', '--redirect-uri', redirectUri];
  const { client_id: clientId } = await house.vestibule.command('client', 'add', ...kind);
  const asked = authorizeUrl(house.issuer, { clientId, redirectUri, resource: house.notesUrl });
  const visit = await house.person.visit(asked, 'by-hand');
  const code = new URL(visit.arrived).searchParams.get('code');
  const answer = await house.ask(`${house.issuer}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `${tokenRequest({ clientId, redirectUri, code })}`,
  });
  const grants = await house.vestibule.command('grant', 'list');
  const { id } = grants.find((grant) => JSON.stringify(grant).includes(clientId));
  return { token: JSON.parse(answer.body).access_token, id };
}

/** A person who wants to see a page. */
async function checkBrowser(house) {
  const alice = await house.stranger('alice', ALICE);
  const url = `${house.wikiUrl}/page?a=1&b=%2F`;
  const tab = await alice.openTab('wiki');
  const { page } = tab;
  await page.goto(url);
  await alice.signIn(tab);
  assertEqual(page.url(), url, 'where the browser arrives');
  assertEqual(await tab.heading(), `Hello ${ALICE.name}`, 'the page');
  await tab.picture('wiki');
  await tab.press('Save');
  assertEqual(await page.locator('p').innerText(), 'POST /save', 'what the page was asked');

  await page.setExtraHTTPHeaders(FORGED);
  await page.goto(url);
  assertEqual(await tab.heading(), `Hello ${ALICE.name}`, 'the page, with forged headers');
  await page.setExtraHTTPHeaders({});
  await page.goto(url);

  await assertBobReadsWhy(house, url);

  const account = await alice.openTab('account');
  await account.page.goto(`${house.issuer}/account`);
  await account.press('Sign out');
  const before = house.wiki.requests.length;
  // The page is still there, but what it sends does not arrive, now or after another sign-in.
  const [answer] = await Promise.all([
    page.waitForResponse(`${house.wikiUrl}/save`),
    tab.press('Save'),
  ]);
  assertEqual(answer.status(), 401, 'the status of a form without a visit');
  assertEqual(page.url(), `${house.wikiUrl}/save`, 'where the browser stays');
  await page.goto(url);
  assertEqual(new URL(page.url()).pathname, '/login', 'where a closed app leads');
  await alice.signIn(tab);
  assertEqual(page.url(), url, 'where the browser arrives again');
  const after = house.wiki.requests.slice(before).map(({ method }) => method);
  assert(!after.includes('POST') && after.length > 0, `what the app was asked: ${after}`);
  assertWikiKnowsAlice(house);
  await alice.leave();
  return 'there and back; nothing forged arrives; bob reads why; signing out closes the app; no form is sent twice';
}

async function assertBobReadsWhy(house, url) {
  const bob = await house.stranger('bob', BOB);
  const tab = await bob.openTab('wiki');
  await tab.page.goto(url);
  await bob.signIn(tab);
  assertEqual(await tab.heading(), 'Not for you', 'the heading that bob reads');
  const words = await tab.page.locator('main').innerText();
  assert(words.includes(house.wikiUrl), `bob is not told what for: ${words}`);
  await tab.picture('not-for-you');
  await bob.leave();
}

/** Whatever the web app was asked came from alice, and without what would be of use elsewhere. */
function assertWikiKnowsAlice(house) {
  for (const seen of house.wiki.requests) {
    assertEqual(seen.values('x-vestibule-user'), [ALICE.name], `whom ${seen.method} ${seen.url} is for`);
    assertEqual(seen.values('authorization'), [], 'the token');
    // nginx leaves an empty one away.
    const others = ['email', 'client', 'scope'].flatMap((name) => seen.values(`x-vestibule-${name}`));
    assertEqual(others.join(''), '', 'what else the app is told');
  }
}

/** Paths below a resource's own, `/mcp`, or not, or so that two readers could differ. Those that pass arrive as they are. */
const PATHS = {
  '/mcp': true,
  '/mcp/': true,
  '/mcp/x?y=/../z': true,
  '/mcp/a%20b;v=1': true,
  '/': false,
  '/other': false,
  '/mcpx': false,
  '/MCP': false,
  '//mcp': false,
  '/mcp//x': false,
  '/./mcp': false,
  '/x/../mcp': false,
  '/mcp/../other': false,
  '/mcp/..': false,
  '/mcp/./x': false,
  '/mcp/%2e%2e/other': false,
  '/mcp/.%2e/other': false,
  '/mcp%2fx': false,
  '/mcp/..%2fother': false,
  '/mcp/%252e%252e/other': false,
  '/mcp/..;/other': false,
  '/mcp\\..\\other': false,
  '/mcp/%5c..%5cother': false,
  '/%6dcp': false,
  '/mcp%00': false,
  '/other/..%2fmcp': false,
  '/.well-known/oauth-protected-resource/../../mcp': false,
  '/.vestibule/visit/../../mcp': false,
  '/.vestibule/../login': false,
  '/.well-known/oauth-protected-resource/../../login': false,
  '/x/../.vestibule/visit': false,
  '/verify': false,
};

/** Whoever may use `/mcp` of one host gets there and nowhere else, however it is spelled. */
async function checkPaths(house) {
  const terms = ['--name', 'paths', '--audience', house.notesUrl];
  const token = await machineToken(house, await house.vestibule.command('client', 'add', ...terms));
  const [wiki, notes] = [new URL(house.wikiUrl).host, new URL(house.notesUrl).host];
  const [wikiName, notesName] = [wiki, notes].map((host) => host.split(':')[0]);
  const authorization = `Authorization: Bearer ${token}`;
  // By a mark it is told from what others ask for in the meantime.
  let marks = 0;
  const ask = async (servername, lines) => {
    const mark = `X-Mark: ${++marks}`;
    const { status, text } = await house.write(servername, [...lines, mark]);
    const isIt = (seen) => seen.values('x-mark').includes(String(marks));
    const at = (name, { requests }) => requests.filter(isIt).map(({ url }) => `${name} ${url}`);
    return { status, text, arrived: [...at('wiki', house.wiki), ...at('notes', house.notes.witness)] };
  };
  for (const [path, passes] of Object.entries(PATHS)) {
    const answer = await ask(notesName, [`GET ${path} HTTP/1.1`, `Host: ${notes}`, authorization]);
    assertEqual(answer.arrived, passes ? [`notes ${path}`] : [], `what arrives of ${path}`);
    if (!passes) assert(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
    assert(!answer.text.includes('<form'), `${path} leads to a page of Vestibule's: ${answer.text}`);
  }
  // Somebody who names one host to the proxy and another to Vestibule.
  const forwarded = (host, path) => [
    ...[`X-Forwarded-Host: ${host}`, `X-Forwarded-Uri: ${path}`, 'X-Forwarded-Method: GET', 'X-Forwarded-Proto: https'],
    ...[`X_Forwarded_Host: ${host}`, `X_Forwarded_Uri: ${path}`, `Forwarded: host=${host};proto=https`],
  ];
  const doubles = [
    [wikiName, ['GET / HTTP/1.1', `Host: ${wiki}`, ...forwarded(notes, '/mcp')]],
    [notesName, ['GET /other HTTP/1.1', `Host: ${notes}`, ...forwarded(notes, '/mcp')]],
    [notesName, [`GET https://${wiki}/ HTTP/1.1`, `Host: ${notes}`]],
    [notesName, [`GET https://${wiki}/mcp HTTP/1.1`, `Host: ${notes}`]],
    [notesName, ['GET /mcp HTTP/1.1', `Host: ${wiki}`]],
    [wikiName, ['GET /mcp HTTP/1.1', `Host: ${notes}`, `Host: ${wiki}`]],
    [wikiName, ['GET / HTTP/1.1', `Host: ${wiki}.`]],
  ];
  for (const [servername, lines] of doubles) {
    const answer = await ask(servername, [...lines, authorization]);
    assertEqual(answer.arrived, [], `what arrives of ${lines.slice(0, 2)}`);
    assert(answer.status >= 400 && answer.status < 500, `${lines.slice(0, 2)}: ${answer.status}`);
  }
  // A target that names the host is what counts (RFC 9112 3.2.2), for all who read it.
  for (const host of [notes, wiki]) {
    const lines = [`GET https://${notes}/mcp HTTP/1.1`, `Host: ${host}`, authorization];
    assertEqual((await ask(notesName, lines)).arrived, ['notes /mcp'], `what arrives of ${lines.slice(0, 2)}`);
  }
  const passing = Object.values(PATHS).filter((passes) => passes).length;
  const refused = Object.keys(PATHS).length - passing + doubles.length;
  return `${passing} spellings arrive as they are, ${refused} arrive nowhere`;
}
