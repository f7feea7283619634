// Each real client: from a bare MCP server URL to a tool call, past an expired access token, and past a crash of
// Vestibule. It registers itself. The person is asked once, and never again.

import { CLIENTS } from '../clients/index.mjs';
import { assertEqual, blame, MeetingPoint } from '../harness/checks.mjs';
import { Client } from '../harness/client.mjs';
import { Homelab } from '../harness/homelab.mjs';

export const names = Object.keys(CLIENTS);

/** They share a homelab, so that they wait for expiry together. */
export async function start(chosen, browser) {
  const homelab = await Homelab.start('clients', browser);
  const crash = new MeetingPoint(chosen.length, () => homelab.crash());
  const connected = new MeetingPoint(chosen.length, () => {});
  const checks = chosen.map((name) => [name, check(homelab, name, connected, crash)]);
  return { checks, calm: connected.done, stop: () => homelab.stop() };
}

async function check(homelab, name, ...meetings) {
  const [connected, crash] = meetings;
  const client = new Client(homelab, name, [...CLIENTS[name], homelab.mcp.url]);
  try {
    await client.connects();
    const { registered_by } = await homelab.vestibule.command('client', 'show', client.id);
    assertEqual(registered_by, 'itself', 'who registered it');
    connected.pass(client);
    await client.getsPastExpiry();
    crash.pass(client);
    await crash.done;
    await client.call('back again');
    await client.getsPastExpiry();
    const refreshes = await client.tokens('refresh_token');
    return `registered itself, connected, asked once, ${refreshes.length} refreshes, one after a crash`;
  } catch (error) {
    throw blame(error, [client.log, ...homelab.parties]);
  } finally {
    for (const meeting of meetings) meeting.pass(client);
    await client.stop();
  }
}
