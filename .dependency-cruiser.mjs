// Imports go one way: cli → daemon → reconcile → {topology, docker, postgres, balancer} → base. Types count too.
const layers = [['cli'], ['daemon'], ['reconcile'], ['topology', 'docker', 'postgres', 'balancer'], ['base']];

/** A folder may import itself and the layers below its own, neither those above nor its siblings. */
const direction = layers
  .flatMap((layer, depth) =>
    layer.map((folder) => {
      const refused = [...layers.slice(0, depth).flat(), ...layer.filter((sibling) => sibling !== folder)];
      return {
        name: `${folder}-imports-down`,
        comment: `src/${folder} may import the layers below it only`,
        severity: 'error',
        from: { path: `^src/${folder}/` },
        to: { path: `^src/(${refused.join('|')})/` },
      };
    }),
  )
  .filter(({ to }) => to.path !== '^src/()/');

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...direction,
    {
      name: 'known-folders',
      comment: 'a new folder under src/ needs its place among the layers of .dependency-cruiser.mjs',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `^src/(${layers.flat().join('|')}|build)/` },
    },
    {
      name: 'no-cycles',
      comment: 'modules must not need each other to load; types may refer to each other',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'no-tests-in-sources', severity: 'error', from: { path: '^src/' }, to: { path: '^test/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
