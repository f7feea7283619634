// A client program at work in a homelab, and what is asserted of each, however it came to be known.

import { setTimeout as sleep } from 'node:timers/promises';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { assert, assertEqual } from './checks.mjs';
import { output, suite } from './places.mjs';
import { Program } from './program.mjs';

/** Starts a client program, in a home of its own. It rings at the person's door. `env` is set besides. */
export function startClient(log, name, [command, ...args], person, env = {}) {
  const home = path.join(output, 'homes', name);
  mkdirSync(home, { recursive: true });
  const own = {
    PATH: `${suite}/bin:${process.env.PATH}`,
    HOME: home,
    BROWSER: `${suite}/bin/xdg-open`,
    INTEROP_DOORBELL: person?.doorbell(name) ?? '',
    // Where nobody looks at a terminal the Inspector opens a browser only if it is told to, and where no desktop's
    // keychain is, it keeps its tokens in a file only if it is told to.
    MCP_AUTO_OPEN_ENABLED: 'true',
    MCP_INSPECTOR_SECRET_STORE: 'file',
    MCP_OAUTH_CALLBACK_URL: 'http://127.0.0.1:0/oauth/callback',
  };
  return new Program(log, command, args, { env: { ...own, ...env }, cwd: home });
}

/** A running client program. */
export class Client {
  #homelab;
  #program;
  #id;
  /** How many tokens of each grant have been looked at. */
  #seen = new Map();

  /** Starts it. `id` is its `client_id` where it is known before the person sees it. */
  constructor(homelab, name, command, id) {
    this.name = name;
    this.log = `${homelab.name}/${name}`;
    this.#homelab = homelab;
    this.#id = id;
    this.#program = startClient(this.log, name, command, homelab.person);
  }

  get id() {
    return this.#id ?? this.visits[0]?.clientId;
  }

  /** The times that the person was asked on its behalf. */
  get visits() {
    return this.#homelab.person?.visitsOf(this.name) ?? [];
  }

  /** Has the client call the tool, and looks at the answer. Returns the claims of the token that it came with. */
  async call(text) {
    this.#program.type(text);
    const { answer, error } = JSON.parse(await this.#program.line());
    if (error) throw new Error(`the call failed: ${this.visits.map(({ problem }) => problem ?? '')} ${error}`);
    assertEqual(answer, `you said: ${text}`, 'the answer');
    return this.#homelab.mcp.lastToken(this.id);
  }

  /** From the URL alone to an answer: discovery, a name, the person, the code, the token. */
  async connects() {
    const token = await this.call('hello');
    await this.#assertAskedOnce();
    const exchanges = await this.tokens('authorization_code');
    assertEqual(exchanges.length, 1, 'codes that became tokens');
    // Not always the code's own: mcp-remote refreshes what has a minute left or less before it uses it.
    const given = [...exchanges, ...(await this.tokens('refresh_token'))];
    assert(given.some(({ metadata }) => metadata.jti === token.jti), 'the token of the call was given to somebody else');
    assertEqual(token.exp - token.iat, 60, 'the lifetime of the token');
  }

  /** Waits until the access token has ended, and has the client call again: with a new one, by this grant. */
  async getsPastExpiry(grantType = 'refresh_token') {
    const old = this.#homelab.mcp.lastToken(this.id);
    // The server judges by the second: at `exp` it is over (RFC 7519 4.1.4).
    await sleep(Math.max(0, old.exp * 1000 - Date.now()) + 100);
    const token = await this.call('still there');
    assert(token.jti !== old.jti, 'the call came with the old token');
    const given = await this.tokens(grantType);
    assert(
      given.some(({ metadata }) => metadata.jti === token.jti),
      `the token ${token.jti} comes from no ${grantType}: ${JSON.stringify(given)}`,
    );
    assertEqual(token.sub, old.sub, 'the person');
    assert(given.length > (this.#seen.get(grantType) ?? 0), 'no token was given');
    this.#seen.set(grantType, given.length);
    if (grantType === 'refresh_token') await this.#assertAskedOnce();
  }

  /** The tokens that it was given by a grant, as the audit log has them. */
  async tokens(grantType) {
    const given = await this.audit('oauth.token.exchange.success');
    return given.filter(({ metadata }) => metadata.grant_type === grantType);
  }

  /** What the audit log says of it, of one event or of all. */
  async audit(only) {
    const audit = await this.#homelab.vestibule.audit(this.id);
    return only ? audit.filter(({ event }) => event === only) : audit;
  }

  /** Nothing that it asked for was refused. */
  async assertNothingRefused() {
    const refused = (await this.audit()).filter(({ event }) => /refused|failure|replay|revoked/.test(event));
    assertEqual(refused, [], 'what was refused');
  }

  async #assertAskedOnce() {
    // The client may have heard before the person saw its page.
    await Promise.all(this.visits.map(({ over }) => over));
    assertEqual(this.visits.map(({ problem }) => problem ?? null), [null], 'visits of the person, and their problems');
    assert(this.visits[0].answered.includes('/consent'), 'the person was not asked for consent');
    assertEqual((await this.audit('oauth.authorize.granted')).length, 1, 'times that the person agreed');
    await this.assertNothingRefused();
  }

  async stop() {
    await this.#program.stop();
  }
}
