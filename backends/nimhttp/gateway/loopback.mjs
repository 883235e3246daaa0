import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

// isLoopback knows a host by its address or as localhost, and asks no resolver.
export function isLoopback(host) {
  const family = isIP(host);
  return family ? LOOPBACK.check(host, `ipv${family}`) : host === 'localhost';
}

// splitAddress takes "host:port" or "[v6]:port" apart; null if it is neither.
export function splitAddress(address) {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(address);
  if (!match || Number(match[3]) > 65535) return null;
  if (match[1] && isIP(match[1]) !== 6) return null;
  return { host: match[1] ?? match[2], port: Number(match[3]) };
}
