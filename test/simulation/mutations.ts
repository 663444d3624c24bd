/** A mend taken out: texts that are replaced, each of which occurs once. */
export type Mutation = {
  readonly name: string;
  /** Which one the simulation is to run in; absent: all. */
  readonly mode?: string;
  readonly changes: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
};

export const mutations: readonly Mutation[] = [];
