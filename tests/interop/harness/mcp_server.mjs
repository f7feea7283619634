// The server that clients want to reach: a real MCP server (TypeScript SDK, streamable HTTP, without sessions) that
// trusts Vestibule's access tokens and nothing else.

import { createWriteStream, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';

import { McpServer as Sdk } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { z } from 'zod';

import { logs } from './places.mjs';

/** The scope that it asks for, and one that it only knows of. */
export const SCOPES = ['read', 'write'];

const METADATA = '/.well-known/oauth-protected-resource/mcp';

/** A running MCP server with one tool, `echo`. */
export class McpServer {
  #server;
  #issuer;
  #keys;
  #log;

  /** What it was asked, in order: the claims of the token and the JSON-RPC method, or why it answered 401. */
  requests = [];

  /** Starts one that trusts `issuer`. Its log is `output/logs/NAME.log`. */
  static async start(name, issuer) {
    const mcp = new McpServer();
    const file = path.join(logs, `${name}.log`);
    mkdirSync(path.dirname(file), { recursive: true });
    mcp.#log = createWriteStream(file);
    mcp.#issuer = issuer;
    mcp.forgetKeys();
    mcp.#server = createServer((request, response) => {
      mcp.#answer(request, response).catch((error) => {
        console.error('the MCP server failed:', error);
        response.destroy();
      });
    });
    await new Promise((resolve) => mcp.#server.listen(0, '127.0.0.1', resolve));
    mcp.origin = `http://127.0.0.1:${mcp.#server.address().port}`;
    /** What a person types into a client; the resource's identifier too. */
    mcp.url = `${mcp.origin}/mcp`;
    return mcp;
  }

  /** Fetches the issuer's keys anew at the next request. */
  forgetKeys() {
    this.#keys = createRemoteJWKSet(new URL(`${this.#issuer}/.well-known/jwks.json`));
  }

  /** The claims of the last token that a client's tool call was let in with. */
  lastToken(clientId) {
    return this.requests.findLast(({ claims, method }) => claims?.client_id === clientId && method === 'tools/call')
      ?.claims;
  }

  async #answer(request, response) {
    // Clients in a browser's page need to read everything; others do not mind.
    response.setHeader('access-control-allow-origin', '*');
    const { pathname } = new URL(request.url, this.origin);
    if (pathname === METADATA) return json(response, 200, this.#metadata());
    if (pathname !== '/mcp') return json(response, 404, {});

    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    if (scheme.toLowerCase() !== 'bearer' || !token) return this.#refuse(request, response, 'no token');
    let claims;
    try {
      claims = await this.#verify(token);
    } catch (error) {
      return this.#refuse(request, response, error.message, 'invalid_token');
    }
    // Without sessions there is no stream to listen on, and none to end.
    if (request.method !== 'POST') return json(response, 405, {}, { allow: 'POST' });
    const message = JSON.parse(await text(request));
    this.#note({ claims, method: message.method });
    await this.#handle(request, response, message);
  }

  #metadata() {
    return {
      resource: this.url,
      authorization_servers: [this.#issuer],
      scopes_supported: SCOPES,
      bearer_methods_supported: ['header'],
      resource_name: 'Echo',
    };
  }

  /** RFC 9068 4: type, issuer, audience, signature, and the time, to the second. */
  async #verify(token) {
    const { payload } = await jwtVerify(token, this.#keys, {
      issuer: this.#issuer,
      audience: this.url,
      typ: 'at+jwt',
      algorithms: ['ES256', 'EdDSA'],
      requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
    });
    if (!(payload.scope ?? '').split(' ').includes('read')) throw new Error('the scope lacks read');
    return payload;
  }

  #refuse(request, response, why, error) {
    this.#note({ why, agent: request.headers['user-agent'] });
    const parameters = { ...(error && { error }), resource_metadata: this.origin + METADATA, scope: 'read' };
    const challenge = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
    json(response, 401, { error: error ?? 'unauthorized' }, { 'www-authenticate': `Bearer ${challenge.join(', ')}` });
  }

  #note(request) {
    this.requests.push(request);
    this.#log.write(`${new Date().toISOString()} ${JSON.stringify(request)}\n`);
  }

  async #handle(request, response, message) {
    const sdk = new Sdk({ name: 'echo', version: '1.0.0' });
    sdk.registerTool(
      'echo',
      { description: 'Says it again', inputSchema: { text: z.string() } },
      async ({ text }) => ({ content: [{ type: 'text', text: `you said: ${text}` }] }),
    );
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => transport.close());
    await sdk.connect(transport);
    await transport.handleRequest(request, response, message);
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function json(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function text(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}
