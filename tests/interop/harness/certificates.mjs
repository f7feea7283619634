// An authority of our own, which signs certificates for the servers of a run.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** What `openssl req` is to make. */
const configuration = (subject, extensions) => `
[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
CN = ${subject}
[extensions]
${extensions.join('\n')}
`;

/** An authority. Its own certificate and its key are the PEM files `certificate` and `key`. */
export class Authority {
  #directory = mkdtempSync(path.join(tmpdir(), 'vestibule-authority-'));
  certificate = this.#file('authority.pem');
  key = this.#file('authority.key');

  constructor() {
    process.on('exit', () => rmSync(this.#directory, { recursive: true, force: true }));
    this.#make('authority', ['basicConstraints = critical, CA:true', 'keyUsage = critical, keyCertSign']);
  }

  /** Key and certificate of a server with these names (`DNS:...`, `IP:...`), as Node.js's `https` takes them. */
  sign(...names) {
    const { keyFile, certFile } = this.issue(...names);
    return { key: readFileSync(keyFile), cert: readFileSync(certFile) };
  }

  /** The same as files. */
  issue(...names) {
    const extensions = ['basicConstraints = critical, CA:false', `subjectAltName = ${names.join(', ')}`];
    this.#make('server', extensions, ['-CA', this.certificate, '-CAkey', this.key]);
    return { keyFile: this.#file('server.key'), certFile: this.#file('server.pem') };
  }

  #make(name, extensions, issuer = []) {
    const [key, certificate, config] = ['key', 'pem', 'cnf'].map((kind) => this.#file(`${name}.${kind}`));
    writeFileSync(config, configuration(name, extensions));
    const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key];
    const signed = ['-x509', '-days', '2', ...issuer, '-config', config, '-out', certificate];
    execFileSync('openssl', ['req', ...pair, ...signed], { stdio: 'pipe' });
  }

  #file(name) {
    return path.join(this.#directory, name);
  }
}
