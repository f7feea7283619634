// Web sites elsewhere: every host of the top-level domain `test` (RFC 6761), over TLS with a certificate of an authority
// that nobody knows.

import { createServer } from 'node:https';

import { Authority } from './certificates.mjs';

/** The sites. The browser is told to find them here (`--host-resolver-rules`). */
export class TestHosts {
  #server;
  #redirects = new Map();

  static async start() {
    const hosts = new TestHosts();
    hosts.#server = createServer(new Authority().sign('DNS:*.test'), (request, response) => {
      const place = `${request.headers.host}${new URL(request.url, 'https://any.test').pathname}`;
      const location = hosts.#redirects.get(place);
      if (location) return response.writeHead(302, { location }).end();
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<title>${place}</title><h1>Arrived</h1>`);
    });
    await new Promise((resolve) => hosts.#server.listen(0, '127.0.0.1', resolve));
    hosts.#server.unref();
    hosts.address = `127.0.0.1:${hosts.#server.address().port}`;
    return hosts;
  }

  /** Has one of the sites send browsers elsewhere. */
  redirect(from, to) {
    this.#redirects.set(from.replace('https://', ''), to);
  }
}
