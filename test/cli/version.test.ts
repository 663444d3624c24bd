import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { version } from '../../src/cli/commands/version.ts';
import { recordOutput } from './recorder.ts';

async function run(format: 'text' | 'json', flags: { client?: boolean } = {}) {
  const { output, printed, noted } = recordOutput({ format });
  const code = await version({ format, color: false, host: 'unix:///none/docker.sock', ...flags }, output);
  return { code, printed: printed.join('\n'), noted: noted.join('\n') };
}

const own = `pgherd    ${packageJson.version}\nNode.js   ${process.versions.node}\nplatform  ${process.platform}/${process.arch}`;

describe('version', () => {
  it('says that no engine answers, and how to change that; that is no failure', async () => {
    const { code, printed, noted } = await run('text');
    expect(code).toBe(0);
    expect(printed).toBe(
      `${own}\nengine    none: no Docker engine answers at unix:///none/docker.sock (connect ENOENT /none/docker.sock)`,
    );
    expect(noted).toMatch(/^ {2}remedy: start it/);
  });

  it('asks no engine with --client', async () => {
    expect(await run('text', { client: true })).toEqual({ code: 0, printed: own, noted: '' });
  });

  it('is JSON too', async () => {
    const [asked, client] = [await run('json'), await run('json', { client: true })];
    const expected = {
      version: packageJson.version,
      node: process.versions.node,
      platform: `${process.platform}/${process.arch}`,
    };
    expect(JSON.parse(client.printed)).toEqual(expected);
    expect(JSON.parse(asked.printed)).toMatchObject({
      ...expected,
      engine: { host: 'unix:///none/docker.sock', error: { code: 'engine-unreachable' } },
    });
  });
});
