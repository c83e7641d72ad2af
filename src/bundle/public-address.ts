import { BlockList, isIP } from 'node:net';

/**
 * Addresses that are not of the internet at large: this machine, its networks, and what is reserved.
 * https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry
 */
// One for each family: in one list, a range of IPv6 with IPv4 addresses in it counts for those, too.
const special = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const range of [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]) {
  add(range, 'ipv4');
}
for (const range of [
  // Those that hold an IPv4 address lead to wherever that leads.
  ...['::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', '2001::/23'],
  ...[
    '100::/64',
    '2001:db8::/32',
    '3fff::/20',
    '5f00::/16',
    'fc00::/7',
    'fe80::/10',
    'fec0::/10',
    'ff00::/8',
  ],
]) {
  add(range, 'ipv6');
}

function add(range: string, family: 'ipv4' | 'ipv6'): void {
  const [network = '', bits] = range.split('/');
  special[family].addSubnet(network, Number(bits), family);
}

/** Whether an address is one of the internet at large. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  return !special[family].check(address, family);
}
