// The built binary, with a database of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { built } from './places.mjs';
import { Program, run } from './program.mjs';

const BINARY = built('vestibule');

/** A Vestibule. It listens where the kernel had a free port, and its issuer is that address. */
export class Vestibule {
  #directory = mkdtempSync(path.join(tmpdir(), 'vestibule-'));
  #program;
  #listen = '127.0.0.1:0';
  #settings;

  /** Starts the binary on a new database. `name` is for the log; `settings` are flags of `vestibule serve`. */
  static async start(name, settings = []) {
    const vestibule = new Vestibule();
    vestibule.name = name;
    vestibule.#settings = settings;
    await vestibule.#serve();
    return vestibule;
  }

  async #serve() {
    const args = ['serve', '--listen', this.#listen, '--json', ...this.#settings];
    this.#program = new Program(this.name, BINARY, args, { cwd: this.#directory, env: {} });
    const announced = JSON.parse(await this.#program.line());
    this.#listen = announced.listen;
    this.issuer = announced.issuer;
    /** The first admin's link, on a new database. */
    this.setupLink = announced.setup_link;
    /** The URLs of the servers that it guards, as it gives them to people. */
    this.guarded = (announced.guarded ?? []).map(({ url }) => url);
  }

  /** Pulls the plug, and starts again on the same port with the same database. */
  async crashAndReturn() {
    await this.#program.stop('SIGKILL');
    await this.#serve();
  }

  /** Where it listens itself, whatever stands before it. */
  get address() {
    return this.#listen;
  }

  /** A command on the database, as an owner types it: its answer. */
  async command(...args) {
    const options = { cwd: this.#directory, env: {} };
    return JSON.parse(await run(BINARY, [...args, '--json'], options));
  }

  /** Adds somebody who may sign in. */
  async addUser({ name, password }) {
    const options = { cwd: this.#directory, env: {}, stdin: `${password}\n` };
    await run(BINARY, ['user', 'add', name, '--password-stdin', '--json'], options);
  }

  /** What it decided about a client. */
  async audit(clientId) {
    return this.command('audit', '--client', clientId);
  }

  /** Stops it as a service manager does, and forgets all. */
  async stop() {
    await this.#program.stop('SIGTERM');
    rmSync(this.#directory, { recursive: true });
  }
}
