/**
 * Bundles pgherd and everything it imports into dist/, so that the package has no dependencies to install and a
 * command loads only the chunks it uses: `npm run build`.
 *
 * dockerode is the reason for most of this file. Imported as it is, it loads gRPC, Protocol Buffers, two tar libraries
 * and an SSH client, which takes longer than a whole `pgherd plan`; pgherd needs none of them: it builds no images, and goes
 * to `ssh://` engines by the system's ssh.
 */
import { build } from 'esbuild';
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

const { values: options } = parseArgs({
  options: {
    entry: { type: 'string', default: 'src/cli/main.ts' },
    outdir: { type: 'string', default: 'dist' },
  },
});
const outdir = path.resolve(root, options.outdir);
const licenceFile = 'THIRD-PARTY-LICENSES.txt';

/** Modules that are replaced: which ones, for which importers, by what source. */
const replacements = [
  {
    name: 'image-building',
    module: /^(@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|tar-fs|@balena\/dockerignore)$/,
    importer: /node_modules[\\/]dockerode[\\/]/,
    source: `
      const refuse = () => {
        throw new Error('pgherd builds no images: what dockerode needs for that is not in its bundle');
      };
      module.exports = new Proxy(refuse, { get: refuse });
    `,
  },
  {
    name: 'ssh',
    module: /^\.\/ssh$/,
    importer: /node_modules[\\/]docker-modem[\\/]/,
    source: `
      module.exports = () => {
        throw new Error('pgherd goes to engines by ssh through an agent of its own');
      };
    `,
  },
  {
    // DEBUG=modem becomes NODE_DEBUG=modem.
    name: 'debug',
    module: /^debug$/,
    importer: /node_modules[\\/]docker-modem[\\/]/,
    source: `module.exports = require('util').debuglog;`,
  },
];

/** @type {import('esbuild').Plugin} */
const slimDockerode = {
  name: 'slim-dockerode',
  setup({ onResolve, onLoad }) {
    for (const { name, module, importer, source } of replacements) {
      onResolve({ filter: module }, (args) =>
        importer.test(args.importer) ? { path: name, namespace: 'replacement' } : undefined,
      );
      onLoad({ filter: new RegExp(`^${name}$`), namespace: 'replacement' }, () => ({ contents: source }));
    }
    onLoad({ filter: /docker-modem[\\/]lib[\\/]modem\.js$/ }, async ({ path: file }) => ({
      contents: withoutEagerDebug(await readFile(file, 'utf8')),
    }));
  },
};

/** docker-modem prints every request in full for its debug output, wanted or not: 2 ms a call, 60 ms a plan. */
function withoutEagerDebug(/** @type {string} */ source) {
  const eager = /util\.inspect\(options, \{[^}]*\}\)/;
  if (!eager.test(source)) throw new Error('docker-modem no longer prints every request: drop this replacement');
  return source.replace(eager, 'options.path');
}

/** @type {import('esbuild').BuildOptions} */
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  loader: { '.sh': 'text' },
  outdir,
};

const result = await build({
  ...common,
  entryPoints: { pgherd: options.entry },
  chunkNames: '[name]-[hash]',
  format: 'esm',
  splitting: true,
  // CommonJS packages call require() for Node's own modules, and ESM has none of its own.
  banner: {
    js: `import { createRequire as createBundleRequire } from 'node:module';
const require = createBundleRequire(import.meta.url);`,
  },
  plugins: [slimDockerode],
});
const command = path.join(outdir, 'pgherd.js');
if (!(await readFile(command, 'utf8')).startsWith('#!')) throw new Error(`${options.entry} must start with a #! line`);
await chmod(command, 0o755);
await writeFile(path.join(outdir, licenceFile), await licences(result));
await sweep(result);
process.stdout.write(`${await summary(result)}\n`);

/** Removes what an earlier build left: afterwards, not before, so that a pgherd that runs meanwhile finds its chunks. */
async function sweep(/** @type {{ metafile: import('esbuild').Metafile }} */ { metafile }) {
  const built = new Set(Object.keys(metafile.outputs).map((file) => path.basename(file)));
  const stale = (await readdir(outdir)).filter((file) => !built.has(file) && file !== licenceFile);
  await Promise.all(stale.map((file) => rm(path.join(outdir, file), { recursive: true })));
}

/** The licence of each bundled package, as those licences ask of whoever passes the code on. */
async function licences(/** @type {{ metafile: import('esbuild').Metafile }} */ { metafile }) {
  const inputs = Object.keys(metafile.inputs);
  const folders = new Set(inputs.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  const entries = [...folders].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(path.join(root, folder, 'package.json'), 'utf8'));
    const file = (await readdir(path.join(root, folder))).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? `Licence: ${license}` : await readFile(path.join(root, folder, file), 'utf8');
    return `${name} ${version}\n\n${text.trim()}\n`;
  });
  return (await Promise.all(entries)).join(`\n${'-'.repeat(80)}\n\n`);
}

/** One line: how large what was built is, without source maps. */
async function summary(/** @type {{ metafile: import('esbuild').Metafile }} */ { metafile }) {
  const files = Object.keys(metafile.outputs).filter((file) => !file.endsWith('.map'));
  const sizes = await Promise.all(files.map(async (file) => (await stat(path.join(root, file))).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return `built ${path.relative(root, outdir) || outdir}: ${files.length} files, ${Math.ceil(total / 1024)} KiB`;
}
