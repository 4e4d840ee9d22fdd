/** Whom an address stands for, in limits: whoever has one IPv6 address has 2^64 of them, so the network is what counts. Some
 *  proxies name a port, too. Any text has one, of at most 100 characters. */
export function networkOf(text: string): string {
  const bare = text.replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^::ffff:(?=\d+\.)/i, '');
  const address =
    bare
      .replace(/^([\d.]+):\d+$/, '$1')
      .split('%', 1)[0]
      ?.slice(0, 100)
      .toLowerCase() ?? '';
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head.split(':').filter(Boolean);
  const missing = 8 - groups.length - tail.split(':').filter(Boolean).length;
  const whole = address.includes('::')
    ? [...groups, ...Array<string>(Math.max(missing, 0)).fill('0'), ...tail.split(':').filter(Boolean)]
    : groups;
  return `${whole.slice(0, 4).join(':')}::/64`;
}
