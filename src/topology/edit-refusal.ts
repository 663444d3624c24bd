import type { Diagnostic } from './diagnostic.ts';

/** Why a file is not edited, and what to do instead. */
export type Refused = {
  readonly message: string;
  readonly remedy: string;
  /** What is wrong with the file, or would be afterwards. */
  readonly diagnostics?: readonly Diagnostic[];
};

/** Ends an edit that is not made; caught where edits begin, never seen outside. */
export class Refusal extends Error {
  readonly refused: Refused;
  constructor(message: string, remedy: string, diagnostics?: readonly Diagnostic[]) {
    super(message);
    this.refused = { message, remedy, ...(diagnostics === undefined ? {} : { diagnostics }) };
  }
}
