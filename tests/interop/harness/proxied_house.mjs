// A homelab behind a reverse proxy that asks Vestibule who may pass: the sign-in, a web app and an MCP server, each at its
// own host, as `examples/forward_auth` has them.

import { readFileSync } from 'node:fs';
import { request as send } from 'node:https';
import { connect } from 'node:tls';

import { OpenServer } from '../servers/index.mjs';
import { Authority } from './certificates.mjs';
import { ALICE } from './homelab.mjs';
import { Person } from './person.mjs';
import { suite } from './places.mjs';
import { freePort } from './ports.mjs';
import { PATIENCE, within } from './program.mjs';
import { ReverseProxy } from './reverse_proxy.mjs';
import { Vestibule } from './vestibule.mjs';
import { WebApp } from './web_app.mjs';
import { Witness } from './witness.mjs';

/** Somebody with an account whom the web app does not admit. */
export const BOB = { name: 'bob', password: 'another hall, another door' };

/** All of it. */
export class ProxiedHouse {
  #authority = new Authority();
  #app;

  static async start(kind, browser) {
    const house = new ProxiedHouse();
    house.name = kind;
    house.browser = browser;
    house.port = await freePort();
    house.issuer = house.#origin('auth');
    house.wikiUrl = house.#origin('app');
    house.notesUrl = `${house.#origin('mcp')}/mcp`;
    /** The same server once more, with Vestibule itself before it. */
    house.guardedUrl = `${house.issuer}/notes`;
    house.vestibule = await Vestibule.start(`${kind}/vestibule`, [
      ...['--issuer', house.issuer],
      ...['--trusted-proxies', '127.0.0.1'],
    ]);
    house.#app = await WebApp.start();
    /** What the web app was asked. */
    house.wiki = await Witness.before(house.#app.origin, `${kind}/wiki-witness`);
    house.notes = await OpenServer.everything(`${kind}/notes`);
    house.proxy = await ReverseProxy.start(kind, `${kind}/proxy`, {
      port: house.port,
      authority: house.#authority,
      vestibule: house.vestibule.address,
      wiki: new URL(house.wiki.origin).host,
      notes: new URL(house.notes.url).host,
    });
    await house.#move();
    return house;
  }

  #origin(host) {
    return `https://${host}.home.example:${this.port}`;
  }

  /** People move in, and the owner says what is guarded. */
  async #move() {
    this.person = await Person.at(this.browser, this.name, { issuer: this.issuer, ...ALICE });
    await this.person.setUp(this.vestibule.setupLink);
    await this.person.openDoor();
    await this.vestibule.addUser(BOB);
    const add = (url, ...terms) => this.vestibule.command('resource', 'add', url, ...terms);
    await add(this.wikiUrl, '--name', 'Wiki', '--users', ALICE.name);
    await add(this.notesUrl, '--name', 'Notes', '--scopes', 'read write');
    await add(this.guardedUrl, '--name', 'Guarded notes', '--scopes', 'read write', '--upstream', this.notes.url);
  }

  /** Another browser, at which nobody is signed in. `name` is the directory of its pictures. */
  async stranger(name, who) {
    return Person.at(this.browser, `${this.name}/${name}`, { issuer: this.issuer, ...who });
  }

  /** What a program needs besides, to find the names and to believe the certificates. */
  get environment() {
    return { NODE_EXTRA_CA_CERTS: this.#authority.certificate, NODE_OPTIONS: `--import=${suite}/harness/names.mjs` };
  }

  /** Asks for a URL: `{status, headers, body}`. */
  ask(url, { method = 'GET', headers = {}, body } = {}) {
    const lookup = (_, options, found) => found(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);
    const options = { method, headers, lookup, ca: readFileSync(this.#authority.certificate), agent: false };
    const asked = new Promise((resolve, reject) => {
      const request = send(url, options, async (response) => {
        let text = '';
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        resolve({ status: response.statusCode, headers: response.headers, body: text });
      });
      request.on('error', reject).end(body);
    });
    return within(PATIENCE, `an answer at ${url}`, asked);
  }

  /** Sends a request as it is written, to the host that TLS names. Returns the status of the answer and all of its text. */
  async write(servername, lines) {
    const options = { host: '127.0.0.1', port: this.port, servername, ca: readFileSync(this.#authority.certificate) };
    const socket = connect(options);
    const answered = new Promise((resolve, reject) => {
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk) => (text += chunk));
      socket.on('error', reject).on('end', () => resolve(text));
      socket.write(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
    });
    const text = await within(PATIENCE, `an answer to ${lines[0]}`, answered);
    socket.destroy();
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), text };
  }

  /** Whose logs to look at. */
  get parties() {
    return [`${this.name}/vestibule`, `${this.name}/proxy`, `${this.name}/notes`];
  }

  async stop() {
    await this.person.leave();
    await this.proxy.stop();
    await this.vestibule.stop();
    await this.notes.stop();
    await this.wiki.stop();
    await this.#app.stop();
  }
}
