// A machine made with the MCP TypeScript SDK, version 2, which signs its requests for tokens with a key
// (`private_key_jwt`).

import { readFileSync } from 'node:fs';

import { Client, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { serveLines } from './lines.mjs';

const [server, expectedIssuer, clientId, keyFile, algorithm] = process.argv.slice(2);
const privateKey = readFileSync(keyFile, 'utf8');
const authProvider = new PrivateKeyJwtProvider({ clientId, privateKey, algorithm, expectedIssuer });

async function connect() {
  const client = new Client({ name: 'typescript-v2', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(server), { authProvider }));
  return client;
}

let client;
await serveLines(async (text) => {
  client ??= await connect();
  const result = await client.callTool({ name: 'echo', arguments: { text } });
  return result.content[0].text;
});
