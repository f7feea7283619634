// A client made with the MCP TypeScript SDK, version 2.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

import { Callback } from './callback.mjs';
import { serveClient } from './lines.mjs';
import { Provider } from './provider.mjs';

const [server, document] = process.argv.slice(2);
const callback = await Callback.listen();
const provider = new Provider('TypeScript SDK v2', callback, document);

async function connect(listening) {
  const client = listening(new Client({ name: 'typescript-v2', version: '1.0.0' }));
  const open = () => new StreamableHTTPClientTransport(new URL(server), { authProvider: provider });
  const transport = open();
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  // All parameters, so that the SDK checks `iss` itself (RFC 9207).
  await transport.finishAuth(await callback.parameters);
  await client.connect(open());
  return client;
}

await serveClient(connect, (client, params, options) => client.callTool(params, options));
