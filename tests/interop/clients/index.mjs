// The real clients: their names, and how each is started. To add one, write a program that does as `lines.mjs` says,
// and add a line here.

import { built, node22, python, suite } from '../harness/places.mjs';

const program = (file) => `${suite}/clients/${file}`;

/** Name to command; its arguments are the MCP server's URL and, where it has one, that of its metadata document. */
export const CLIENTS = {
  'typescript-v1': [process.execPath, program('typescript_v1.mjs')],
  'typescript-v2': [process.execPath, program('typescript_v2.mjs')],
  'python-mcp': [python, program('mcp_client.py')],
  fastmcp: [python, program('fastmcp_client.py')],
  'mcp-remote': [process.execPath, program('mcp_remote.mjs')],
  inspector: [node22, program('inspector.mjs')],
  rmcp: [built('examples', 'rmcp')],
};

/** The same for machines that hold a key; after the server's URL come the issuer, the id, the file of the key, and `alg`. */
export const KEY_CLIENTS = {
  'typescript-v2': [process.execPath, program('typescript_v2_key.mjs')],
  'python-mcp': [python, program('mcp_key_client.py')],
};
