// The homelab's own name server, in effect: loaded into a Node.js program (`--import`), it leads every `*.home.example` to
// this machine.

import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

const HOME = /\.home\.example$/;
const { lookup } = dns;

dns.lookup = (name, ...rest) => lookup(HOME.test(name) ? '127.0.0.1' : name, ...rest);
syncBuiltinESMExports();
