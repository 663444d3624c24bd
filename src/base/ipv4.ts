/** An IPv4 subnet as numbers: the network address and the last (broadcast) address. */
export type Cidr = { readonly first: number; readonly last: number; readonly prefix: number };

/** The address as a number, or undefined where the text is not a dotted quad. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** The subnet that `a.b.c.d/n` lies in (host bits are dropped), or undefined where the text is no such thing. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, length, ...rest] = text.split('/');
  const number = parseIpv4(address ?? '');
  if (number === undefined || length === undefined || rest.length > 0 || !/^\d{1,2}$/.test(length)) return undefined;
  const prefix = Number(length);
  if (prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const first = number - (number % size);
  return { first, last: first + size - 1, prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIpv4(cidr.first)}/${cidr.prefix}`;
}

export function subnetsOverlap(a: Cidr, b: Cidr): boolean {
  return a.first <= b.last && b.first <= a.last;
}
