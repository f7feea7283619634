// Web sites elsewhere: every host of the top-level domain `test` (RFC 6761), over TLS with a certificate that nobody
// signed.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The sites. The browser is told to find them here (`--host-resolver-rules`). */
export class TestHosts {
  #server;
  #redirects = new Map();

  static async start() {
    const hosts = new TestHosts();
    hosts.#server = createServer(certificate(), (request, response) => {
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

function certificate() {
  const directory = mkdtempSync(path.join(tmpdir(), 'test-hosts-'));
  const file = (name) => path.join(directory, name);
  try {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file('key')];
    const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=DNS:*.test'];
    execFileSync('openssl', ['req', '-x509', ...key, ...names, '-days', '2', '-out', file('cert')], { stdio: 'pipe' });
    return { key: readFileSync(file('key')), cert: readFileSync(file('cert')) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
