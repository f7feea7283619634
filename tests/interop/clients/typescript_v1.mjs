// A client made with the MCP TypeScript SDK, version 1.

import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { Callback } from './callback.mjs';
import { serveClient } from './lines.mjs';
import { Provider } from './provider.mjs';

const [server, document] = process.argv.slice(2);
const callback = await Callback.listen();
const provider = new Provider('TypeScript SDK v1', callback, document);

async function connect(listening) {
  const client = listening(new Client({ name: 'typescript-v1', version: '1.0.0' }));
  const open = () => new StreamableHTTPClientTransport(new URL(server), { authProvider: provider });
  const transport = open();
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  await transport.finishAuth(await provider.code());
  await client.connect(open());
  return client;
}

await serveClient(connect, (client, params, options) => client.callTool(params, undefined, options));
