/** What a stream of output can show. */
export type Terminal = {
  readonly isTerminal: boolean;
  /** Lines may be drawn anew in place. */
  readonly isLive: boolean;
  readonly colour: boolean;
  /** Spinners, check marks and ellipses come out as what they are. */
  readonly unicode: boolean;
};

/** Columns and rows. */
export type Size = { readonly columns: number; readonly rows: number };

type Environment = Readonly<Record<string, string | undefined>>;

/** Of terminals that do not tell: a pseudo-terminal that nobody gave a size has 0 by 0. */
const usualSize: Size = { columns: 80, rows: 24 };

/** The terminal a stream is, by the environment; `color: false` is the option --no-color. */
export function readTerminal(
  stream: { readonly isTTY?: boolean },
  env: Environment,
  options: { readonly color: boolean; readonly platform: NodeJS.Platform },
): Terminal {
  const isTerminal = stream.isTTY === true;
  const isAble = options.platform === 'win32' || !['', 'dumb'].includes(env['TERM'] ?? '');
  return {
    isTerminal,
    isLive: isTerminal && isAble && !isSet(env['CI']),
    colour: options.color && !isGiven(env['NO_COLOR']) && (isSet(env['FORCE_COLOR']) || (isTerminal && isAble)),
    unicode: isTerminal && hasUnicode(env, options.platform),
  };
}

/** How large a terminal is now. */
export function readSize(stream: { readonly columns?: number; readonly rows?: number }): Size {
  const { columns = 0, rows = 0 } = stream;
  return {
    columns: columns > 0 ? columns : usualSize.columns,
    rows: rows > 0 ? rows : usualSize.rows,
  };
}

// The locale as POSIX has it: the first that is set counts. The console of Linux has no glyphs for a spinner.
// Source: https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html
function hasUnicode(env: Environment, platform: NodeJS.Platform): boolean {
  if (platform === 'win32') return isGiven(env['WT_SESSION']) || env['TERM_PROGRAM'] === 'vscode';
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find(isGiven) ?? (platform === 'darwin' ? 'UTF-8' : 'C');
  return /utf-?8/i.test(locale) && env['TERM'] !== 'linux';
}

// NO_COLOR counts whatever its value. Source: https://no-color.org
function isGiven(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

function isSet(value: string | undefined): boolean {
  return isGiven(value) && value !== '0' && value !== 'false';
}
