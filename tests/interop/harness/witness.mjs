// Stands right before a server and writes down what it is asked, while everything passes on as it came.

import { createServer } from 'node:http';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';

import { pass } from './pass.mjs';
import { logs } from './places.mjs';

/** A request as the server behind has it: the target, the headers and the answer's status as they came. */
class Seen {
  /** Whether the answer has not ended. */
  isOpen = true;
  status;

  constructor({ method, url, rawHeaders }) {
    this.method = method;
    this.url = url;
    this.headers = [];
    for (let at = 0; at < rawHeaders.length; at += 2) this.headers.push([rawHeaders[at], rawHeaders[at + 1]]);
  }

  /** All values of a header, also under names that some server would take for it: by case, underscores and dots. */
  values(name) {
    const alike = (other) => other.toLowerCase().replace(/[_.]/g, '-') === name.toLowerCase();
    return this.headers.filter(([other]) => alike(other)).map(([, value]) => value);
  }
}

/** A running witness. */
export class Witness {
  #server;
  #log;
  #pass;

  /** What it saw, in order. */
  requests = [];

  /** Starts one before the server at `origin`. Its log is `output/logs/NAME.log`. `way` is how it hands on (`pass.mjs`). */
  static async before(origin, name, way = pass) {
    const witness = new Witness();
    witness.#pass = way;
    const file = path.join(logs, `${name}.log`);
    mkdirSync(path.dirname(file), { recursive: true });
    witness.#log = createWriteStream(file);
    witness.#server = createServer((request, response) => witness.#see(origin, request, response));
    await new Promise((resolve) => witness.#server.listen(0, '127.0.0.1', resolve));
    witness.origin = `http://127.0.0.1:${witness.#server.address().port}`;
    return witness;
  }

  /** The requests of one session. */
  of(session) {
    return this.requests.filter((seen) => seen.values('mcp-session-id').includes(session));
  }

  #see(origin, request, response) {
    const seen = new Seen(request);
    this.requests.push(seen);
    this.#log.write(`${new Date().toISOString()} ${seen.method} ${seen.url} ${JSON.stringify(seen.headers)}\n`);
    response.on('close', () => (seen.isOpen = false));
    this.#pass(origin, request, request.rawHeaders, response, (status) => (seen.status = status));
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
