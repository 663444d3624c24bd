// Generated from schemas/topology.schema.json by src/topology/generate.mjs; do not edit.
import type { TopologyFile } from './types.gen.ts';

export type SchemaError = {
  /** JSON pointer to the value. */
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly parentSchema: Readonly<Record<string, unknown>>;
  readonly data: unknown;
};

export declare const validate: {
  (data: unknown): data is TopologyFile;
  errors?: readonly SchemaError[] | null;
};
export default validate;
