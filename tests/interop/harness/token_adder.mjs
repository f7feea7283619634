// What stands in for a signed-in client where a tool cannot be given a token: adds one to each request.

import { createServer } from 'node:http';

import { pass } from './pass.mjs';

/** A running one. */
export class TokenAdder {
  #server;

  /** Adds `token` to whatever goes to the server at `url`. */
  static async before(url, token) {
    const adder = new TokenAdder();
    const { origin, host, pathname } = new URL(url);
    adder.#server = createServer((request, response) => {
      const headers = [...request.rawHeaders, 'Authorization', `Bearer ${token}`];
      // Whoever asks for this one means that one; whoever means another host is to be heard there too.
      const own = headers.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === 'host') + 1;
      if (headers[own] === new URL(adder.url).host) headers[own] = host;
      pass(origin, request, headers, response);
    });
    await new Promise((resolve) => adder.#server.listen(0, '127.0.0.1', resolve));
    /** Where to ask in place of `url`. */
    adder.url = `http://127.0.0.1:${adder.#server.address().port}${pathname}`;
    return adder;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
