// A web app that knows nothing of sign-in: it believes what a header says of who somebody is, as many of the homelab do.

import { createServer } from 'node:http';

/** A running one. */
export class WebApp {
  #server;

  static async start() {
    const app = new WebApp();
    app.#server = createServer((request, response) => {
      request.resume();
      const user = request.headers['x-vestibule-user'] ?? 'nobody';
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(
        `<!doctype html><title>Wiki</title><h1>Hello ${user}</h1><p>${request.method} ${request.url.replaceAll('<', '')}</p>
        <form method="post" action="/save"><input name="text" value="new"><button>Save</button></form>`,
      );
    });
    await new Promise((resolve) => app.#server.listen(0, '127.0.0.1', resolve));
    app.origin = `http://127.0.0.1:${app.#server.address().port}`;
    return app;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
