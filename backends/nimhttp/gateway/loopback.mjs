// Hosts on loopback, and addresses as host:port.

import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

// isLoopback reports whether a host is a loopback address or localhost. It does
// not ask a resolver.
export function isLoopback(host) {
  const family = isIP(host);
  return family ? LOOPBACK.check(host, `ipv${family}`) : host === 'localhost';
}

// splitAddress parses "host:port" or "[v6]:port". It returns null for anything
// else.
export function splitAddress(address) {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(address);
  if (!match || Number(match[3]) > 65535) return null;
  if (match[1] && isIP(match[1]) !== 6) return null;
  return { host: match[1] ?? match[2], port: Number(match[3]) };
}
