// A web site that publishes JSON over TLS: the metadata documents of clients, and their keys.

import { createServer } from 'node:https';

import { Authority } from './certificates.mjs';

/** The name in its URLs. Every machine knows it, and `--fetch-networks` admits it. */
export const HOST = 'localhost';

/** A running site. */
export class DocumentHost {
  #server;
  #origin;
  #documents = new Map();
  #requests = [];
  #authority = new Authority();

  static async start({ name = HOST, address = '127.0.0.1', port = 0 } = {}) {
    const host = new DocumentHost();
    host.#server = createServer(host.#authority.sign(`DNS:${name}`), (request, response) => {
      host.#requests.push(request.url);
      const document = host.#documents.get(request.url);
      if (!document) return response.writeHead(404).end();
      const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=3600' };
      response.writeHead(200, headers).end(JSON.stringify(document));
    });
    await new Promise((resolve) => host.#server.listen(port, address, resolve));
    host.#origin = `https://${name}:${host.#server.address().port}`;
    return host;
  }

  /** Settings of a Vestibule that trusts its certificate. */
  get trusted() {
    return ['--fetch-roots', this.#authority.certificate];
  }

  /** Settings of a Vestibule that fetches from here, on this machine. The name may lead to either loopback address. */
  get settings() {
    return ['--fetch-networks', '127.0.0.1,::1', ...this.trusted];
  }

  /** The URL of a path here, in the one spelling that a client's name may have. */
  url(path) {
    return new URL(path, this.#origin).href;
  }

  /** Publishes a document. Returns its URL. */
  publish(path, document) {
    this.#documents.set(path, document);
    return this.url(path);
  }

  /** How often a path was asked for. */
  requestsFor(path) {
    return this.#requests.filter((url) => url === path).length;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
