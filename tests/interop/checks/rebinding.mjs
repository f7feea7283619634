// DNS rebinding, with a real resolver: a name leads to a public address when it is looked at, and into the house when it
// is looked at again. In network and mount namespaces of its own, where a public address can be had and a name server
// can lie (`rebinding_inside.mjs`).

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { blame, Skipped } from '../harness/checks.mjs';
import { run } from '../harness/program.mjs';

export const names = ['rebinding'];

/** An address that belongs to nobody's house. In the namespace it is this machine's. */
const PUBLIC = '93.184.216.34';

/** Everything inside ends with the first process. */
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const INSIDE = `set -e
for file in resolv.conf nsswitch.conf; do mount --bind "$1/$file" "/etc/$file"; done
ip link set lo up
ip address add ${PUBLIC}/32 dev lo
exec "$2" "$3" ${PUBLIC}`;

export async function start([name]) {
  return { checks: [[name, check(name)]], stop() {} };
}

async function check(name) {
  await run('unshare', [...NAMESPACES, 'ip', 'link', 'set', 'lo', 'up']).catch(({ message }) => {
    throw new Skipped(`no namespaces can be made here (it takes root): ${message.trim().split('\n').at(-1)}`);
  });
  const directory = mkdtempSync(path.join(tmpdir(), 'rebinding-'));
  try {
    writeFileSync(path.join(directory, 'resolv.conf'), 'nameserver 127.0.0.1\n');
    writeFileSync(path.join(directory, 'nsswitch.conf'), 'hosts: files dns\n');
    const program = path.join(import.meta.dirname, 'rebinding_inside.mjs');
    const shell = ['sh', '-c', INSIDE, 'sh', directory, process.execPath, program];
    const { seen, error } = JSON.parse(await run('unshare', [...NAMESPACES, ...shell]));
    if (error) throw new Error(error);
    return seen;
  } catch (error) {
    throw blame(error, [`${name}/own-address`, `${name}/vestibule`]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
