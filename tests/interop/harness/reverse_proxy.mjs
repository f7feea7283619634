// The reverse proxies that people have, with the very files of `examples/forward_auth`. Those say everything but where
// things listen and where certificates lie, which is filled in: in nginx's by replacing it, in Caddy's by the environment
// variables that it names. The names are theirs: `*.home.example` leads to this machine, for the browser by a flag, and
// for programs by `names.mjs`.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { assertEqual } from './checks.mjs';
import { root } from './places.mjs';
import { isListening } from './ports.mjs';
import { Program } from './program.mjs';

const EXAMPLES = path.join(root, 'examples', 'forward_auth');

/** Where things listen in the examples. */
const VESTIBULE = '127.0.0.1:8080';
const WIKI = '127.0.0.1:3001';
const NOTES = '127.0.0.1:3002';

/** Name to how it is set up in a directory of its own: its command, given where everything is. */
const KINDS = {
  nginx(directory, { port, authority, vestibule, wiki, notes }) {
    const { keyFile, certFile } = authority.issue('DNS:*.home.example');
    const example = fill('nginx.conf', [
      ['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`, 2],
      ['/etc/nginx/tls/home.example.pem', certFile, 2],
      ['/etc/nginx/tls/home.example.key', keyFile, 2],
      [VESTIBULE, vestibule, 1],
      [WIKI, wiki, 1],
      [NOTES, notes, 1],
    ]);
    const file = write(directory, 'vestibule.conf', example);
    // What Debian's own nginx.conf says around it, and where this one may write.
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const main = write(
      directory,
      'nginx.conf',
      `daemon off;
      pid ${directory}/nginx.pid;
      error_log stderr warn;
      events {}
      http {
        sendfile on;
        tcp_nopush on;
        gzip on;
        access_log ${directory}/access.log;
        ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n')}
        include ${file};
      }`,
    );
    return { command: ['/usr/sbin/nginx', '-p', directory, '-c', main] };
  },

  caddy(directory, { port, authority, vestibule, wiki, notes }) {
    fill('Caddyfile', [
      [`{$VESTIBULE:${VESTIBULE}}`, '', 3],
      [`{$WIKI:${WIKI}}`, '', 1],
      [`{$NOTES:${NOTES}}`, '', 1],
    ]);
    const main = write(
      directory,
      'Caddyfile',
      `{
        admin off
        storage file_system ${directory}
        https_port ${port}
        auto_https disable_redirects
        default_bind 127.0.0.1
        local_certs
        skip_install_trust
        pki {
          ca local {
            root {
              cert ${authority.certificate}
              key ${authority.key}
            }
          }
        }
      }
      import ${EXAMPLES}/Caddyfile`,
    );
    const env = { HOME: directory, VESTIBULE: vestibule, WIKI: wiki, NOTES: notes };
    return { command: ['/usr/bin/caddy', 'run', '--config', main, '--adapter', 'caddyfile'], env };
  },
};

/** Their names. */
export const PROXIES = Object.keys(KINDS);

/** A running reverse proxy. */
export class ReverseProxy {
  #directory = mkdtempSync(path.join(tmpdir(), 'reverse-proxy-'));
  #program;

  /** Starts one on `port`, with certificates of `authority`. The rest says where Vestibule and the servers behind listen. */
  static async start(kind, log, places) {
    const proxy = new ReverseProxy();
    const { command, env } = KINDS[kind](proxy.#directory, places);
    const [program, ...args] = command;
    proxy.#program = new Program(log, program, args, { env: { PATH: process.env.PATH, ...env } });
    await isListening(places.port, proxy.#program);
    return proxy;
  }

  async stop() {
    await this.#program.stop('SIGTERM');
    rmSync(this.#directory, { recursive: true });
  }
}

/** An example's text with things replaced: each as often as it says, since otherwise it is another file than it was. */
function fill(name, replacements) {
  let text = readFileSync(path.join(EXAMPLES, name), 'utf8');
  // Comments tell of ports and places too.
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
  text = lines.join('\n');
  for (const [from, to, times] of replacements) {
    assertEqual(text.split(from).length - 1, times, `how often ${name} says ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

function write(directory, name, text) {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}
