// `mcp-remote`, as a desktop host runs it: a program on stdio that speaks MCP, with the real server behind it. The host
// is the TypeScript SDK.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { npm } from '../harness/places.mjs';
import { serveClient } from './lines.mjs';

const [server, document] = process.argv.slice(2);
const name = document ? ['--client-metadata-url', document] : [];

async function connect(listening) {
  const client = listening(new Client({ name: 'a desktop host', version: '1.0.0' }));
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [npm('mcp-remote', 'dist', 'proxy.js'), server, ...name],
      env: process.env,
      stderr: 'inherit',
    }),
  );
  return client;
}

await serveClient(connect, (client, params, options) => client.callTool(params, undefined, options));
