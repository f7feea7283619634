// A client's own end of the browser's way: opens it, and waits at a loopback address for it to come back.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';

/** A listener on a free loopback port. */
export class Callback {
  static async listen() {
    const callback = new Callback();
    const server = createServer();
    /** The parameters that the browser comes back with. */
    callback.parameters = new Promise((resolve) => {
      server.on('request', (request, response) => {
        const url = new URL(request.url, callback.url);
        if (url.pathname !== '/callback') return response.writeHead(404).end();
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<title>Done</title><p>Go back to the client.');
        resolve(url.searchParams);
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    callback.url = `http://127.0.0.1:${server.address().port}/callback`;
    return callback;
  }
}

/** Opens the person's browser, as programs do on Linux. */
export function openBrowser(url) {
  spawn('xdg-open', [url.href], { stdio: ['ignore', 'inherit', 'inherit'] });
}
