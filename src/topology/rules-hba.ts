import { parseIpv4 } from '../base/ipv4.ts';
import { suggest } from '../base/suggest.ts';
import type { Issue } from './diagnostic.ts';
import { shorten } from './path.ts';
import { listSettings } from './settings.ts';
import type { TopologyFile } from './types.gen.ts';

/** Methods that a server on Linux knows for connections over TCP, without `trust`. */
const methods = [
  'scram-sha-256',
  'reject',
  'md5',
  'password',
  'cert',
  'ldap',
  'radius',
  'gss',
  'pam',
  'ident',
  'oauth',
];

/**
 * Lines that let anyone in, or that a server would not start with.
 * https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
 */
export function checkHba(raw: TopologyFile): Issue[] {
  return listSettings(raw).flatMap(({ path, settings }) =>
    (settings.hba ?? []).flatMap((line, index): Issue[] => {
      const found = checkLine(line);
      return found === undefined ? [] : [{ path: [...path, 'hba', index], at: 'value', code: 'hba', ...found }];
    }),
  );
}

type Finding = { readonly message: string; readonly hint: string };

function checkLine(line: string): Finding | undefined {
  if (line.trimEnd().endsWith('\\'))
    return { message: 'a line that ends with "\\" swallows the next', hint: 'write it as one line' };
  const fields = splitFields(line);
  const [address = ''] = fields[3] ?? [];
  // an address without a length is followed by its mask
  const at = parseIpv4(address) !== undefined || /^[0-9a-f.]*:[0-9a-f:.]*$/i.test(address) ? 5 : 4;
  if (fields.slice(4).some(([first]) => first === 'trust'))
    return { message: 'no trust over TCP: it lets anyone in who reaches the port', hint: 'use scram-sha-256' };
  const method = fields[at]?.join(',');
  if (method === undefined) {
    const mask = at === 5 ? ', mask' : '';
    return {
      message: `a line of pg_hba.conf needs database, user, address${mask} and method`,
      hint: 'e.g. host all app 10.0.0.0/8 scram-sha-256',
    };
  }
  if (methods.includes(method)) return undefined;
  const near = suggest(method, methods);
  return {
    message: `there is no method ${JSON.stringify(shorten(method))} over TCP`,
    hint: near === undefined ? `known: ${methods.join(', ')}` : `did you mean ${near}?`,
  };
}

/**
 * The fields of a line, each a list, as the server reads them: quotes hold blanks, commas and `#` together and are
 * dropped, a comma joins what follows to its field, `#` starts a comment (`next_token` in its hba.c).
 */
function splitFields(line: string): string[][] {
  const fields: string[][] = [];
  let joins = false;
  for (const [token] of line.matchAll(/#.*|(?:"[^"]*"?|[^\s",#])+,?/g)) {
    if (token.startsWith('#')) break;
    const word = token.replace(/,$/, '').replaceAll('"', '');
    const field = fields.at(-1);
    if (joins && field !== undefined) field.push(word);
    else fields.push([word]);
    joins = token.endsWith(',');
  }
  return fields;
}
