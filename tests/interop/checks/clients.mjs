// Each real client: from a bare MCP server URL to a tool call, past an expired access token, and past a crash of
// Vestibule. The person is asked once, and never again.

import { setTimeout as sleep } from 'node:timers/promises';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { CLIENTS } from '../clients/index.mjs';
import { assert, assertEqual, blame, MeetingPoint } from '../harness/checks.mjs';
import { Homelab } from '../harness/homelab.mjs';
import { output, suite } from '../harness/places.mjs';
import { Program } from '../harness/program.mjs';

export const names = Object.keys(CLIENTS);

/** They share a homelab, so that they wait for expiry together. */
export async function start(chosen, browser) {
  const homelab = await Homelab.start('clients', browser);
  const crash = new MeetingPoint(chosen.length, async () => {
    await homelab.vestibule.crashAndReturn();
    homelab.mcp.forgetKeys();
  });
  const connected = new MeetingPoint(chosen.length, () => {});
  const checks = chosen.map((name) => [name, check(homelab, name, connected, crash)]);
  return { checks, calm: connected.done, stop: () => homelab.stop() };
}

async function check(homelab, name, ...meetings) {
  const [connected, crash] = meetings;
  const client = new Client(homelab, name);
  try {
    await client.connects();
    connected.pass(client);
    await client.getsPastExpiry();
    crash.pass(client);
    await crash.done;
    await client.call('back again');
    await client.getsPastExpiry();
    return await client.summary();
  } catch (error) {
    throw blame(error, [`clients/${name}`, 'clients/vestibule', 'clients/mcp-server']);
  } finally {
    for (const meeting of meetings) meeting.pass(client);
    await client.stop();
  }
}

/** A client program at work. */
class Client {
  #homelab;
  #program;
  #refreshes = 0;

  constructor(homelab, name) {
    this.name = name;
    this.#homelab = homelab;
    const home = path.join(output, 'homes', name);
    mkdirSync(home, { recursive: true });
    const env = {
      PATH: `${suite}/bin:${process.env.PATH}`,
      HOME: home,
      BROWSER: `${suite}/bin/xdg-open`,
      INTEROP_DOORBELL: homelab.person.doorbell(name),
      // Where nobody looks at a terminal the Inspector opens a browser only if it is told to, and where no desktop's
      // keychain is, it keeps its tokens in a file only if it is told to.
      MCP_AUTO_OPEN_ENABLED: 'true',
      MCP_INSPECTOR_SECRET_STORE: 'file',
      MCP_OAUTH_CALLBACK_URL: 'http://127.0.0.1:0/oauth/callback',
    };
    const [command, ...args] = CLIENTS[name];
    this.#program = new Program(`clients/${name}`, command, [...args, homelab.mcp.url], { env, cwd: home });
  }

  /** Has the client call the tool, and looks at the answer. Returns the claims of the token that it came with. */
  async call(text) {
    this.#program.type(text);
    const { answer, error } = JSON.parse(await this.#program.line());
    if (error) throw new Error(`the call failed: ${this.#visits.map(({ problem }) => problem ?? '')} ${error}`);
    assertEqual(answer, `you said: ${text}`, 'the answer');
    return this.#homelab.mcp.lastToken(this.#id);
  }

  get #visits() {
    return this.#homelab.person.visitsOf(this.name);
  }

  get #id() {
    return this.#visits[0]?.clientId;
  }

  /** From the URL alone to an answer: discovery, registration, the person, the code, the token. */
  async connects() {
    const token = await this.call('hello');
    await this.#assertAskedOnce();
    const exchanges = await this.#tokens('authorization_code');
    assertEqual(exchanges.length, 1, 'codes that became tokens');
    // Not always the code's own: mcp-remote refreshes what has a minute left or less before it uses it.
    const given = [...exchanges, ...(await this.#tokens('refresh_token'))];
    assert(given.some(({ metadata }) => metadata.jti === token.jti), 'the token of the call was given to somebody else');
    assertEqual(token.exp - token.iat, 60, 'the lifetime of the token');
  }

  /** Waits until the access token has ended, and has the client call again. */
  async getsPastExpiry() {
    const old = this.#homelab.mcp.lastToken(this.#id);
    // The server judges by the second: at `exp` it is over (RFC 7519 4.1.4).
    await sleep(Math.max(0, old.exp * 1000 - Date.now()) + 100);
    const token = await this.call('still there');
    assert(token.jti !== old.jti, 'the call came with the old token');
    const refreshes = await this.#tokens('refresh_token');
    assert(
      refreshes.some(({ metadata }) => metadata.jti === token.jti),
      `the token ${token.jti} comes from no refresh: ${JSON.stringify(refreshes)}`,
    );
    assertEqual(token.sub, old.sub, 'the person');
    assert(refreshes.length > this.#refreshes, 'nothing was refreshed');
    this.#refreshes = refreshes.length;
    await this.#assertAskedOnce();
  }

  /** The tokens that it was given by a grant. */
  async #tokens(grantType) {
    const audit = await this.#homelab.vestibule.audit(this.#id);
    const given = audit.filter(({ event }) => event === 'oauth.token.exchange.success');
    return given.filter(({ metadata }) => metadata.grant_type === grantType);
  }

  async #assertAskedOnce() {
    // The client may have heard before the person saw its page.
    await Promise.all(this.#visits.map(({ over }) => over));
    assertEqual(this.#visits.map(({ problem }) => problem ?? null), [null], 'visits of the person, and their problems');
    const [visit] = this.#visits;
    assert(visit.answered.includes('/consent'), 'the person was not asked for consent');
    const audit = await this.#homelab.vestibule.audit(this.#id);
    const granted = audit.filter(({ event }) => event === 'oauth.authorize.granted');
    assertEqual(granted.length, 1, 'times that the person agreed');
    const refused = audit.filter(({ event }) => /refused|failure|replay|revoked/.test(event));
    assertEqual(refused, [], 'what was refused');
  }

  async summary() {
    const { requests } = this.#homelab.mcp;
    const tokens = new Set(requests.filter(({ claims }) => claims?.client_id === this.#id).map(({ claims }) => claims.jti));
    return `connected, asked once, ${this.#refreshes} refreshes, one after a crash; ${tokens.size} tokens seen`;
  }

  async stop() {
    await this.#program.stop();
  }
}
