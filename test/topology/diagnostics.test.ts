import { describe, expect, it } from 'vitest';
import { diagnose, parseSound } from './support.ts';

describe('text that is not a topology at all', () => {
  it('an empty file', () =>
    expect(diagnose('')).toMatchInlineSnapshot(`
    "topology.yaml:1:1: the file is empty
      hint: start with "cluster_name:""
  `));
  it('a file of comments', () =>
    expect(diagnose('# later\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:1: the file is empty
      # later
      ^
      hint: start with "cluster_name:""
  `));
  it('a bracket that is not closed', () =>
    expect(diagnose('{\n  "cluster_name": "shop",\n  "balancers": [\n')).toMatchInlineSnapshot(
      `
      "topology.yaml:3:16: not valid YAML: a "]" is missing after this
          "balancers": [
                       ^
        hint: close every bracket"
    `,
    ));
  it('a quote that is not closed', () =>
    expect(diagnose('cluster_name: "shop\nbalancers:\n  - name: lb1\n')).toMatchInlineSnapshot(`
      "topology.yaml:1:15: not valid YAML: this quote is never closed
        cluster_name: "shop
                      ^
        hint: close it"
    `));
  it('a tab as indentation', () =>
    expect(diagnose('cluster_name: shop\nbalancers:\n\t- name: lb1\n')).toMatchInlineSnapshot(`
    "topology.yaml:3:1: not valid YAML: tabs are not allowed as indentation
      	- name: lb1
      ^
      hint: indent with spaces"
  `));
  it('a colon in a value', () =>
    expect(diagnose('cluster_name: shop: two\n')).toMatchInlineSnapshot(`
      "topology.yaml:1:15: not valid YAML: nested mappings are not allowed in compact mappings
        cluster_name: shop: two
                      ^
        hint: a value that holds ": " needs quotes, a key the indentation of its neighbours"
    `));
  it('a list', () =>
    expect(diagnose('- cluster_name: shop\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:1: expected a mapping with cluster_name and balancers, got a list
      - cluster_name: shop
      ^^^^^^^^^^^^^^^^^^^^
      hint: one cluster a file, without a list around it"
  `));
  it('a word', () =>
    expect(diagnose('shop\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:1: expected a mapping with cluster_name and balancers, got "shop"
      shop
      ^^^^"
  `));
  it('nothing but null', () =>
    expect(diagnose('null\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:1: expected a mapping with cluster_name and balancers, got nothing
      null
      ^^^^
      hint: give it a value, or remove the key"
  `));
});

describe('YAML that surprises', () => {
  it('a directive', () =>
    expect(diagnose('%YAML 1.1\n---\ncluster_name: shop\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:1: YAML directives are not allowed
      %YAML 1.1
      ^^^^^^^^^
      hint: remove the line; files are read as YAML 1.2"
  `));
  it('a second document', () =>
    expect(diagnose('cluster_name: shop\n---\ncluster_name: two\n')).toMatchInlineSnapshot(`
    "topology.yaml:2:1: a second document starts here
      ---
      ^^^
      hint: one cluster a file: split it"
  `));
  it('a tag', () =>
    expect(diagnose('cluster_name: !!str 5\n')).toMatchInlineSnapshot(`
      "topology.yaml:1:15: cluster_name: the tag !!str is not allowed
        cluster_name: !!str 5
                      ^^^^^
        hint: remove it; quotes make text of a number"
    `));
  it('a merge key', () =>
    expect(diagnose('a: &a { b: 1 }\nc:\n  <<: *a\n')).toMatchInlineSnapshot(`
    "topology.yaml:3:3: c: merge keys (<<) are not allowed
        <<: *a
        ^^
      hint: write the keys out"
  `));
  it('a key twice', () =>
    expect(diagnose('cluster_name: shop\nbalancers: [{ name: lb1 }]\ncluster_name: two\n')).toMatchInlineSnapshot(`
    "topology.yaml:3:1: the key cluster_name occurs twice
      cluster_name: two
      ^^^^^^^^^^^^
      hint: keep one of them"
  `));
  it('the key __proto__', () =>
    expect(diagnose('cluster_name: shop\n__proto__: { polluted: true }\n')).toMatchInlineSnapshot(`
    "topology.yaml:2:1: the key __proto__ is not allowed
      __proto__: { polluted: true }
      ^^^^^^^^^
      hint: remove it"
  `));
  it('a key that is a list', () =>
    expect(diagnose('? [a]\n: 1\n')).toMatchInlineSnapshot(`
      "topology.yaml:1:3: a key must be text
        ? [a]
          ^"
    `));
  it('an alias without anchor', () =>
    expect(diagnose('cluster_name: *name\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:15: cluster_name: no anchor &name before this
      cluster_name: *name
                    ^^^^^
      hint: write &name before the value to repeat"
  `));
  it('an alias within its own anchor', () =>
    expect(diagnose('balancers: &all [*all]\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:18: balancers[0]: *all holds itself
      balancers: &all [*all]
                       ^^^^
      hint: write the value out"
  `));
  it('nested aliases that expand to billions of values', () => {
    const levels = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [inner, outer] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi']) {
      levels.push(`${outer}: &${outer} [${Array.from({ length: 10 }, () => `*${inner}`).join(', ')}]`);
    }
    const started = performance.now();
    expect(diagnose(levels.join('\n'))).toMatchInlineSnapshot(`
      "topology.yaml:5:7: too many values once aliases are expanded
        e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
              ^
        hint: write the values out"
    `);
    expect(performance.now() - started).toBeLessThan(1000);
  });
  it('very many aliases', () => {
    const text = `a: &a x\nb:\n${'  - *a\n'.repeat(201)}`;
    expect(diagnose(text)).toMatchInlineSnapshot(`
      "topology.yaml:203:5: b[200]: more than 200 aliases
          - *a
            ^^
        hint: write the values out"
    `);
  });
  it('very deep nesting', () => {
    const started = performance.now();
    expect(diagnose('['.repeat(1_000_000))).toMatchInlineSnapshot(`
      "topology.yaml:1:33: more than 32 levels of nesting
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
                                        ^
        hint: a topology needs about six"
    `);
    expect(performance.now() - started).toBeLessThan(1000);
  });
  it('very many values', () => {
    expect(diagnose(`[${'1,'.repeat(300_000)}]`)).toMatchInlineSnapshot(`
      "topology.yaml:1:1: too many values
        [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1
        ^
        hint: split the file: one cluster each"
    `);
  });
});

describe('shape', () => {
  it('an unknown key near a known one', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    prot: 19999
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:5:5: balancers[0].prot: unknown key "prot"
        prot: 19999
        ^^^^
    hint: did you mean "port"?"
`));
  it('an unknown key near nothing', () =>
    expect(
      diagnose(`
cluster_name: shop
volumes: { colour: blue }
balancers: [{ name: lb1 }]
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:3:12: volumes.colour: unknown key "colour"
    volumes: { colour: blue }
               ^^^^^^
    hint: known here: on_remove"
`));
  it('keys that are missing', () =>
    expect(
      diagnose(`
balancers:
  - port: 19999
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:2:1: cluster_name: missing
        balancers:
        ^^^^^^^^^
        hint: every topology needs "cluster_name"
      topology.yaml:3:5: balancers[0].name: missing
          - port: 19999
            ^^^^
        hint: every balancer needs "name""
    `));
  it('a port out of range, in JSON', () =>
    expect(
      diagnose(
        `{
  "cluster_name": "shop",
  "balancers": [
    {
      "name": "lb1",
      "port": 99999
    }
  ]
}
`,
        {},
        'topology.json',
      ),
    ).toMatchInlineSnapshot(`
  "topology.json:6:15: balancers[0].port: expected a port from 1 to 65535, got "99999"
          "port": 99999
                  ^^^^^"
`));
  it('values of the wrong type', () =>
    expect(
      diagnose(`
cluster_name: 17
network: my_net
postgres:
  image:
  memory: [512MB]
  cpus: two
  healthcheck: { retries: 1.5 }
balancers:
  - name: lb1
    port: "19999"
    config: { num_init_children: [32] }
    replicas: two
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:2:15: cluster_name: expected a name of at most 40 letters, digits, "_", "." or "-", starting and ending with a letter or digit, got the number 17
        cluster_name: 17
                      ^^
        hint: put it in quotes
      topology.yaml:3:10: network: expected a mapping, got "my_net"
        network: my_net
                 ^^^^^^
      topology.yaml:5:9: postgres.image: expected the name of an image, such as postgres:17, got nothing
          image:
                ^
        hint: give it a value, or remove the key
      topology.yaml:6:3: postgres.memory: expected a size such as 512MB, 1g or a number of bytes, got a list
          memory: [512MB]
          ^^^^^^
      topology.yaml:7:9: postgres.cpus: expected a number of CPUs from 0.01 to 1024, such as 0.5 or 2, got "two"
          cpus: two
                ^^^
      topology.yaml:8:27: postgres.healthcheck.retries: expected a whole number from 1 to 1000, got "1.5"
          healthcheck: { retries: 1.5 }
                                  ^^^
      topology.yaml:11:11: balancers[0].port: expected a port from 1 to 65535, got "19999"
            port: "19999"
                  ^^^^^^^
        hint: remove the quotes
      topology.yaml:12:15: balancers[0].config.num_init_children: expected one line of text, a number, true or false, got a list
            config: { num_init_children: [32] }
                      ^^^^^^^^^^^^^^^^^
      topology.yaml:13:15: balancers[0].replicas: expected a list of at most 127 replicas, or their number, got "two"
            replicas: two
                      ^^^"
    `));
  it('values of the right type that mean nothing', () =>
    expect(
      diagnose(`
cluster_name: my cluster
bind_address: localhost
network: { subnet: 172.31.0.0 }
failover: { mode: automatical, delay: 5 seconds, max_lag: 16 lightyears }
postgres:
  hba: ["allow everyone"]
  parameters: { "shared buffers": 128MB }
balancers:
  - name: lb1
    ip_address: 172.31.1.256
    replicas: -1
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:2:15: cluster_name: expected a name of at most 40 letters, digits, "_", "." or "-", starting and ending with a letter or digit, got "my cluster"
        cluster_name: my cluster
                      ^^^^^^^^^^
      topology.yaml:3:15: bind_address: expected an IPv4 address of the host, or 0.0.0.0 for all, got "localhost"
        bind_address: localhost
                      ^^^^^^^^^
      topology.yaml:4:20: network.subnet: expected an IPv4 subnet such as 172.31.0.0/16, its length from 8 to 30, got "172.31.0.0"
        network: { subnet: 172.31.0.0 }
                           ^^^^^^^^^^
      topology.yaml:5:19: failover.mode: expected automatic or manual, got "automatical"
        failover: { mode: automatical, delay: 5 seconds, max_lag: 16 lightyears }
                          ^^^^^^^^^^^
        hint: did you mean "automatic"?
      topology.yaml:5:39: failover.delay: expected a duration such as 500ms, 5s, 1m or a number of seconds, got "5 seconds"
        failover: { mode: automatical, delay: 5 seconds, max_lag: 16 lightyears }
                                              ^^^^^^^^^
      topology.yaml:5:59: failover.max_lag: expected a size such as 512MB, 1g or a number of bytes, got "16 lightyears"
        failover: { mode: automatical, delay: 5 seconds, max_lag: 16 lightyears }
                                                                  ^^^^^^^^^^^^^
      topology.yaml:7:9: postgres.hba[0]: expected one line of pg_hba.conf, starting with host, hostssl, hostnossl, hostgssenc or hostnogssenc, got "allow everyone"
          hba: ["allow everyone"]
                ^^^^^^^^^^^^^^^^
      topology.yaml:8:17: postgres.parameters["shared buffers"]: "shared buffers" is not the name of a parameter
          parameters: { "shared buffers": 128MB }
                        ^^^^^^^^^^^^^^^^
        hint: letters, digits and "_" only
      topology.yaml:11:17: balancers[0].ip_address: expected an IPv4 address such as 172.31.1.20, got "172.31.1.256"
            ip_address: 172.31.1.256
                        ^^^^^^^^^^^^
      topology.yaml:12:15: balancers[0].replicas: expected a list of at most 127 replicas, or their number, got "-1"
            replicas: -1
                      ^^"
    `));
  it('a password in the file, which is not shown', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres:
  password: hunter2
balancers:
  - name: lb1
    postgres: { password: { file: pw, env: PW } }
    passwd: hunter3
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:4:13: postgres.password: expected one of {file: PATH}, {env: NAME} or {generate: true}, got a literal
    hint: keep the password in a file or a variable, or let pgherd generate it
  topology.yaml:7:17: balancers[0].postgres.password: expected one of {file: PATH}, {env: NAME} or {generate: true}, got file and env
    hint: keep the password in a file or a variable, or let pgherd generate it
  topology.yaml:8:5: balancers[0].passwd: unknown key "passwd"
    hint: known here: name, container_name, ip_address, port, pcp_port, rest_api_port, image, flavor, config, weight, memory, cpus, restart, postgres, primary, replicas, replication, failover, rollout"
`));
  it('a password in a line with another mistake', () => {
    const said = diagnose(
      'cluster_name: shop\npostgres: { imgae: x, password: hunter2 }\nbalancers: [{ name: lb1 }]\n',
    );
    expect(said).toContain('topology.yaml:2:13: postgres.imgae: unknown key "imgae"');
    expect(said).not.toContain('hunter2');
  });
  it('a key of the group at a node', () =>
    expect(diagnose('cluster_name: shop\nbalancers: [{ name: lb1, primary: { user: app } }]\n')).toMatchInlineSnapshot(`
      "topology.yaml:2:37: balancers[0].primary.user: unknown key "user"
        balancers: [{ name: lb1, primary: { user: app } }]
                                            ^^^^
        hint: it belongs to the group: put it under "postgres""
    `));
  it('but the key with which editors find the schema is fine', () =>
    expect(diagnose('{ "$schema": "s.json", "cluster_name": "shop", "balancers": [{ "name": "lb1" }] }')).toBe(''));
  it('no balancers', () =>
    expect(diagnose('cluster_name: shop\nbalancers: []\n')).toMatchInlineSnapshot(`
    "topology.yaml:2:1: balancers: expected a list of 1 to 200 balancers, got 0 of them
      balancers: []
      ^^^^^^^^^"
  `));
  it('the next version of the format', () =>
    expect(diagnose('schema_version: 2\ncluster_name: shop\nbalancers: [{ name: lb1 }]\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:17: schema_version: expected 1, the only version of the file format so far, got "2"
      schema_version: 2
                      ^"
  `));
});

describe('names', () => {
  it('two groups of one name', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    replicas: 2
  - name: lb1
    replicas: 2
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:6:11: balancers[1].name: the name "lb1" is already taken by balancers[0].name
      - name: lb1
              ^^^
    hint: choose another"
`));
  it('two slots with one node_id', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    replicas:
      - node_id: 1
      - node_id: 1
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:7:18: balancers[0].replicas[1].node_id: the node_id 1 is already taken by balancers[0].replicas[0].node_id
          - node_id: 1
                     ^
    hint: choose another"
`));
  it('two hosts of one name, and a container name taken', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    container_name: proxy
    primary: { host: db, container_name: db }
    replicas:
      - { host: DB, container_name: db2 }
      - { container_name: proxy }
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:8:17: balancers[0].replicas[0].host: the node name "DB" is already taken by balancers[0].primary.host
              - { host: DB, container_name: db2 }
                        ^^
        hint: choose another
      topology.yaml:9:27: balancers[0].replicas[1].container_name: the container name "proxy" is already taken by balancers[0].container_name
              - { container_name: proxy }
                                  ^^^^^
        hint: choose another"
    `));
  it('names that pgherd uses, and names too long', () =>
    expect(
      diagnose(`
cluster_name: shop-with-a-very-long-name-of-37-letters
balancers:
  - name: balancer-with-a-very-long-name-38-chars
    primary: { host: reader1, container_name: pgherd-lock-shop }
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:4:5: balancers[0].container_name: the container name "shop-with-a-very-long-name-of-37-letters-balancer-with-a-very-long-name-38-chars" has 80 characters, 63 at most work as a host name
      - name: balancer-with-a-very-long-name-38-chars
        ^^^^
    hint: give a shorter container_name
  topology.yaml:5:22: balancers[0].primary.host: "reader1" is a name that pgherd uses itself
        primary: { host: reader1, container_name: pgherd-lock-shop }
                         ^^^^^^^
    hint: choose another, such as primary1
  topology.yaml:5:47: balancers[0].primary.container_name: pgherd-lock-… is the name of a lock
        primary: { host: reader1, container_name: pgherd-lock-shop }
                                                  ^^^^^^^^^^^^^^^^
    hint: choose another"
`));
  it('a network named like the write network', () =>
    expect(
      diagnose(`
cluster_name: shop
network: { name: shop, rw_name: shop }
balancers: [{ name: lb1 }]
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:3:33: network.rw_name: the network name "shop" is already taken by network.name
    network: { name: shop, rw_name: shop }
                                    ^^^^
    hint: clusters do not share a network: set network.name"
`));
});

describe('ports and addresses', () => {
  it('a port twice', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    port: 19999
    pcp_port: 19999
    primary: { port: 15432 }
    replicas: [{ port: 15432 }]
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:6:15: balancers[0].pcp_port: the port 19999 is already taken by balancers[0].port
        pcp_port: 19999
                  ^^^^^
    hint: give each published port a number of its own on its bind_address
  topology.yaml:8:24: balancers[0].replicas[0].port: the port 15432 is already taken by balancers[0].primary.port
        replicas: [{ port: 15432 }]
                           ^^^^^
    hint: give each published port a number of its own on its bind_address"
`));
  it('addresses twice, outside, and reserved', () =>
    expect(
      diagnose(`
cluster_name: shop
network: { subnet: 172.31.0.0/24 }
balancers:
  - name: lb1
    ip_address: 172.31.0.1
    primary: { ip_address: 172.31.0.20 }
    replicas:
      - ip_address: 172.31.0.20
      - ip_address: 172.31.1.21
      - ip_address: 172.31.0.0
      - ip_address: 172.31.0.255
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:6:17: balancers[0].ip_address: 172.31.0.1 is the gateway of 172.31.0.0/24
        ip_address: 172.31.0.1
                    ^^^^^^^^^^
    hint: choose one from 172.31.0.2 to 172.31.0.254
  topology.yaml:9:21: balancers[0].replicas[0].ip_address: the address 172.31.0.20 is already taken by balancers[0].primary.ip_address
          - ip_address: 172.31.0.20
                        ^^^^^^^^^^^
    hint: choose another
  topology.yaml:10:21: balancers[0].replicas[1].ip_address: 172.31.1.21 lies outside the subnet 172.31.0.0/24
          - ip_address: 172.31.1.21
                        ^^^^^^^^^^^
    hint: choose one from 172.31.0.2 to 172.31.0.254
  topology.yaml:11:21: balancers[0].replicas[2].ip_address: 172.31.0.0 is the network address of 172.31.0.0/24
          - ip_address: 172.31.0.0
                        ^^^^^^^^^^
    hint: choose one from 172.31.0.2 to 172.31.0.254
  topology.yaml:12:21: balancers[0].replicas[3].ip_address: 172.31.0.255 is the broadcast address of 172.31.0.0/24
          - ip_address: 172.31.0.255
                        ^^^^^^^^^^^^
    hint: choose one from 172.31.0.2 to 172.31.0.254"
`));
  it('fixed addresses without a subnet, said once', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    ip_address: 172.31.1.10
    primary: { ip_address: 172.31.1.20 }
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:5:17: balancers[0].ip_address: a fixed address needs network.subnet
        ip_address: 172.31.1.10
                    ^^^^^^^^^^^
    hint: give network.subnet, or leave the addresses out"
`));
  it('a broken subnet, without complaints about what lies in it', () =>
    expect(
      diagnose(`
cluster_name: shop
network: { subnet: 172.31.0.0/99 }
balancers: [{ name: lb1, ip_address: 172.31.1.10 }]
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:3:20: network.subnet: expected an IPv4 subnet such as 172.31.0.0/16, its length from 8 to 30, got "172.31.0.0/99"
    network: { subnet: 172.31.0.0/99 }
                       ^^^^^^^^^^^^^"
`));
  it('subnets that overlap, start in the middle, or are too small', () =>
    expect(
      diagnose(`
cluster_name: shop
network: { subnet: 172.31.0.9/29, rw_subnet: 172.31.0.8/30 }
balancers: [{ name: lb1, replicas: 5 }]
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:3:20: network.subnet: 172.31.0.9/29 is not the first address of a subnet
        network: { subnet: 172.31.0.9/29, rw_subnet: 172.31.0.8/30 }
                           ^^^^^^^^^^^^^
        hint: write 172.31.0.8/29
      topology.yaml:3:20: network.subnet: 172.31.0.8/29 has 5 addresses to give, 7 are needed: one for each container
        network: { subnet: 172.31.0.9/29, rw_subnet: 172.31.0.8/30 }
                           ^^^^^^^^^^^^^
        hint: use a /28 or larger
      topology.yaml:3:46: network.rw_subnet: the subnet 172.31.0.8/30 overlaps 172.31.0.9/29 of network.subnet
        network: { subnet: 172.31.0.9/29, rw_subnet: 172.31.0.8/30 }
                                                     ^^^^^^^^^^^^^
        hint: give each network a subnet of its own
      topology.yaml:3:46: network.rw_subnet: 172.31.0.8/30 has 1 address to give, 2 are needed: two for each group
        network: { subnet: 172.31.0.9/29, rw_subnet: 172.31.0.8/30 }
                                                     ^^^^^^^^^^^^^
        hint: use a /29 or larger"
    `));
});

describe('parameters', () => {
  it('that break the quorum of a group, wherever they are given, and values that do not', () =>
    expect(
      diagnose(`
cluster_name: shop
replication: { mode: quorum }
postgres:
  parameters: { Synchronous_Commit: local, full_page_writes: off }
balancers:
  - name: lb1
    primary: { parameters: { fsync: false } }
    replicas: [{ parameters: { synchronous_commit: remote_write } }]
  - name: lb2
    postgres: { parameters: { synchronous_commit: remote_apply, full_page_writes: on } }
    replicas: 1
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:5:37: postgres.parameters.Synchronous_Commit: local breaks the quorum of lb1: a commit is acknowledged before a replica has it on disk
          parameters: { Synchronous_Commit: local, full_page_writes: off }
                                            ^^^^^
        hint: leave it out, or use on or remote_apply; a transaction that may be lost can turn it off for itself; or use mode: async
      topology.yaml:5:62: postgres.parameters.full_page_writes: off breaks the quorum of lb1: a crash of the host may tear pages that cannot be repaired from WAL
          parameters: { Synchronous_Commit: local, full_page_writes: off }
                                                                     ^^^
        hint: leave it out; wal_compression makes it cheaper; or use mode: async
      topology.yaml:8:37: balancers[0].primary.parameters.fsync: off breaks the quorum of lb1: what is acknowledged is not on disk, and a server that crashes may come back without it, or not at all
            primary: { parameters: { fsync: false } }
                                            ^^^^^
        hint: leave it out; or use mode: async
      topology.yaml:9:52: balancers[0].replicas[0].parameters.synchronous_commit: remote_write breaks the quorum of lb1: a commit is acknowledged before a replica has it on disk
            replicas: [{ parameters: { synchronous_commit: remote_write } }]
                                                           ^^^^^^^^^^^^
        hint: leave it out, or use on or remote_apply; a transaction that may be lost can turn it off for itself; or use mode: async"
    `));
  it('that may cost the data of a node without a quorum: a warning', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    postgres: { parameters: { synchronous_commit: off, fsync: off } }
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:5:63: warning: balancers[0].postgres.parameters.fsync: off may cost data: what is acknowledged is not on disk, and a server that crashes may come back without it, or not at all
            postgres: { parameters: { synchronous_commit: off, fsync: off } }
                                                                      ^^^
        hint: leave it out"
    `));
  it('of PostgreSQL that pgherd sets', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres:
  parameters:
    Listen_Addresses: "*"
    primary_conninfo: host=elsewhere
    recovery_target_time: yesterday
    wal_level: minimal
    hot_standby: off
    work_mem: 4MB
    WORK_MEM: 8MB
balancers:
  - name: lb1
    primary: { parameters: { synchronous_standby_names: "*" } }
    replicas: [{ parameters: { password_encryption: md5 } }]
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:5:5: postgres.parameters.Listen_Addresses: pgherd sets this itself: inside the container a node always listens on 5432; publish it with the node's "port"
        Listen_Addresses: "*"
        ^^^^^^^^^^^^^^^^
  topology.yaml:6:5: postgres.parameters.primary_conninfo: pgherd sets this itself: it says whom a replica follows, and changes with every failover
        primary_conninfo: host=elsewhere
        ^^^^^^^^^^^^^^^^
  topology.yaml:7:5: postgres.parameters.recovery_target_time: pgherd sets this itself: it decides what a node recovers, and to where
        recovery_target_time: yesterday
        ^^^^^^^^^^^^^^^^^^^^
  topology.yaml:8:16: postgres.parameters.wal_level: expected replica or logical, got "minimal"
        wal_level: minimal
                   ^^^^^^^
    hint: below "replica" there is no streaming replication
  topology.yaml:9:5: postgres.parameters.hot_standby: pgherd sets this itself: a replica must answer queries, the balancer and the probes read from it
        hot_standby: off
        ^^^^^^^^^^^
  topology.yaml:11:5: postgres.parameters.WORK_MEM: WORK_MEM and work_mem are the same parameter
        WORK_MEM: 8MB
        ^^^^^^^^
    hint: keep one of them
  topology.yaml:14:30: balancers[0].primary.parameters.synchronous_standby_names: pgherd sets this itself: it follows the live replicas; use "replication"
        primary: { parameters: { synchronous_standby_names: "*" } }
                                 ^^^^^^^^^^^^^^^^^^^^^^^^^
  topology.yaml:15:32: balancers[0].replicas[0].parameters.password_encryption: pgherd sets this itself: passwords are kept as scram-sha-256 only
        replicas: [{ parameters: { password_encryption: md5 } }]
                                   ^^^^^^^^^^^^^^^^^^^"
`));
  it('of the balancer that pgherd sets', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
  - name: lb1
    config:
      backend_hostname0: db
      backend_weight1: 2
      port: 9999
      health_check_period: 5
      failover_command: reboot
      use_watchdog: on
      load_balance_mode_algo: round_robin
      pool_passwd: none
      pid_file_name: /run/pgpool.pid
      num_init_children: many
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:6:7: balancers[0].config.backend_hostname0: pgherd sets this itself: backends are the write address and the readers, from "primary" and "replicas"
          backend_hostname0: db
          ^^^^^^^^^^^^^^^^^
  topology.yaml:7:7: balancers[0].config.backend_weight1: pgherd sets this itself: readers weigh the same; for the leader's share use "weight"
          backend_weight1: 2
          ^^^^^^^^^^^^^^^
  topology.yaml:8:7: balancers[0].config.port: pgherd sets this itself: inside the container the balancer always listens on 9999; publish it with "port"
          port: 9999
          ^^^^
  topology.yaml:9:7: balancers[0].config.health_check_period: pgherd sets this itself: pgherd itself watches the nodes; a balancer that does so too takes nodes away by its own judgement
          health_check_period: 5
          ^^^^^^^^^^^^^^^^^^^
  topology.yaml:10:7: balancers[0].config.failover_command: pgherd sets this itself: failover is pgherd's, without the balancer's knowledge; use "failover"
          failover_command: reboot
          ^^^^^^^^^^^^^^^^
  topology.yaml:11:7: balancers[0].config.use_watchdog: pgherd sets this itself: there is one balancer a group, kept running by the engine; the watchdog stays off
          use_watchdog: on
          ^^^^^^^^^^^^
  topology.yaml:12:7: balancers[0].config.load_balance_mode_algo: pgherd sets this itself: it crashes pgBalancer; leave it out
          load_balance_mode_algo: round_robin
          ^^^^^^^^^^^^^^^^^^^^^^
  topology.yaml:13:7: balancers[0].config.pool_passwd: pgherd sets this itself: clients authenticate with scram-sha-256, from the group's passwords
          pool_passwd: none
          ^^^^^^^^^^^
  topology.yaml:14:7: balancers[0].config.pid_file_name: pgherd sets this itself: a pid file that outlives a kill stops the balancer from starting
          pid_file_name: /run/pgpool.pid
          ^^^^^^^^^^^^^
  topology.yaml:15:26: balancers[0].config.num_init_children: expected a whole number from 1 to 100000, got "many"
          num_init_children: many
                             ^^^^"
`));
  it('connections that do not fit', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres: { parameters: { max_connections: 200 } }
balancers:
  - name: lb1
    config: { num_init_children: 32, max_pool: 4 }
    replicas: 2
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:3:44: postgres.parameters.max_connections: 200 connections are fewer than the 268 that may be opened: num_init_children 32 × max_pool 4 × 2 readers on one node + 4 for replication + 8 reserved
    postgres: { parameters: { max_connections: 200 } }
                                               ^^^
    hint: raise it to 270, or lower num_init_children or max_pool"
`));
  it('nodes of a group that differ in max_connections, and too few senders', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres: { parameters: { max_wal_senders: 3 } }
balancers:
  - name: lb1
    primary: { parameters: { max_connections: 400 } }
    replicas:
      - parameters: { max_connections: 300 }
      - {}
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:3:44: postgres.parameters.max_wal_senders: 3 is fewer than 4: 2 for the replicas, 2 for a clone and a rejoining node
    postgres: { parameters: { max_wal_senders: 3 } }
                                               ^
    hint: raise it, or leave it out
  topology.yaml:8:40: balancers[0].replicas[0].parameters.max_connections: 300 differs from the 400 of the primary
          - parameters: { max_connections: 300 }
                                           ^^^
    hint: any node of a group may come to lead: give it once, under "postgres""
`));
});

describe('the rest', () => {
  it('commits that would wait for more replicas than there are', () =>
    expect(
      diagnose(`
cluster_name: shop
replication: { mode: quorum }
balancers:
  - { name: lb1, replicas: 1 }
  - { name: lb2, replicas: 1, replication: { sync_replicas: 2 } }
  - { name: lb3 }
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:3:1: replication: commits of lb3 would wait for 1 replica for ever: it has no replica
        replication: { mode: quorum }
        ^^^^^^^^^^^
        hint: give it more replicas, a smaller sync_replicas, or mode: async
      topology.yaml:6:31: balancers[1].replication: commits of lb2 would wait for 2 replicas for ever: it has 1 replica
          - { name: lb2, replicas: 1, replication: { sync_replicas: 2 } }
                                      ^^^^^^^^^^^
        hint: give it more replicas, a smaller sync_replicas, or mode: async"
    `));
  it('access rules that let anyone in, or say nothing', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres:
  hba:
    - host all all 0.0.0.0/0 trust
    - host all all 10.0.0.0 255.0.0.0 trust
    - 'hostssl all "a # b" ::1/128 "trust"'
    - 'host all all samenet tr"us"t # really'
    - host all all scram-sha-256
    - host all all 10.0.0.1 scram-sha-256
    - host all all all scram-sha256
    - 'host all all all reject \\'
    - host all, app trust, "trust" all md5
balancers: [{ name: lb1 }]
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:5:7: postgres.hba[0]: no trust over TCP: it lets anyone in who reaches the port
            - host all all 0.0.0.0/0 trust
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: use scram-sha-256
      topology.yaml:6:7: postgres.hba[1]: no trust over TCP: it lets anyone in who reaches the port
            - host all all 10.0.0.0 255.0.0.0 trust
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: use scram-sha-256
      topology.yaml:7:7: postgres.hba[2]: no trust over TCP: it lets anyone in who reaches the port
            - 'hostssl all "a # b" ::1/128 "trust"'
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: use scram-sha-256
      topology.yaml:8:7: postgres.hba[3]: no trust over TCP: it lets anyone in who reaches the port
            - 'host all all samenet tr"us"t # really'
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: use scram-sha-256
      topology.yaml:9:7: postgres.hba[4]: a line of pg_hba.conf needs database, user, address and method
            - host all all scram-sha-256
              ^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: e.g. host all app 10.0.0.0/8 scram-sha-256
      topology.yaml:10:7: postgres.hba[5]: a line of pg_hba.conf needs database, user, address, mask and method
            - host all all 10.0.0.1 scram-sha-256
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: e.g. host all app 10.0.0.0/8 scram-sha-256
      topology.yaml:11:7: postgres.hba[6]: there is no method "scram-sha256" over TCP
            - host all all all scram-sha256
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: did you mean scram-sha-256?
      topology.yaml:12:7: postgres.hba[7]: a line that ends with "\\" swallows the next
            - 'host all all all reject \\'
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: write it as one line"
    `));
  it('access rules that are not lines of their own, or those of pgherd', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres:
  hba:
    - local all all trust
    - "host all app all reject\\nhost all all all trust"
    - include /etc/passwd
balancers:
  - { name: lb1, primary: { hba: [host all all all trust] } }
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:5:7: postgres.hba[0]: expected one line of pg_hba.conf, starting with host, hostssl, hostnossl, hostgssenc or hostnogssenc, got "local all all trust"
            - local all all trust
              ^^^^^^^^^^^^^^^^^^^
        hint: local lines are pgherd's own: its probes and health checks come in that way
      topology.yaml:6:7: postgres.hba[1]: expected one line of pg_hba.conf, starting with host, hostssl, hostnossl, hostgssenc or hostnogssenc, got "host all app all reject\\nhost all all all trust"
            - "host all app all reject\\nhost all all all trust"
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      topology.yaml:7:7: postgres.hba[2]: expected one line of pg_hba.conf, starting with host, hostssl, hostnossl, hostgssenc or hostnogssenc, got "include /etc/passwd"
            - include /etc/passwd
              ^^^^^^^^^^^^^^^^^^^
      topology.yaml:9:35: balancers[0].primary.hba[0]: no trust over TCP: it lets anyone in who reaches the port
          - { name: lb1, primary: { hba: [host all all all trust] } }
                                          ^^^^^^^^^^^^^^^^^^^^^^
        hint: use scram-sha-256"
    `));
  it('what this version reads and does not act on, which is no error', () => {
    const text = `
cluster_name: shop
rollout: {}
ignore_changes: [postgres.memory]
balancers:
  - { name: lb1, rollout: { max_unavailable: 2 } }
`;
    expect(diagnose(text)).toMatchInlineSnapshot(`
      "topology.yaml:4:1: warning: ignore_changes: read, and not acted on by this version
        ignore_changes: [postgres.memory]
        ^^^^^^^^^^^^^^
      topology.yaml:6:18: warning: balancers[0].rollout: read, and not acted on by this version
          - { name: lb1, rollout: { max_unavailable: 2 } }
                         ^^^^^^^"
    `);
    expect(parseSound(text).cluster).toBe('shop');
  });
  it('sizes and times that the engine would refuse', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres: { memory: 1.5, shm_size: 0, cpus: 0, healthcheck: { interval: 0.0001, timeout: 1e300 } }
balancers:
  - { name: lb1, memory: 1e30, cpus: -1, restart: allways }
  - { name: lb2, memory: -5, postgres: { memory: "99999999999g", healthcheck: { start_period: 999999h } } }
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:3:21: postgres.memory: expected a size such as 512MB, 1g or a number of bytes, got "1.5"
        postgres: { memory: 1.5, shm_size: 0, cpus: 0, healthcheck: { interval: 0.0001, timeout: 1e300 } }
                            ^^^
        hint: a number is whole bytes; a fraction needs a unit, such as 1.5GB
      topology.yaml:3:36: postgres.shm_size: expected at least 1MB, got "0"
        postgres: { memory: 1.5, shm_size: 0, cpus: 0, healthcheck: { interval: 0.0001, timeout: 1e300 } }
                                           ^
        hint: a number without a unit is bytes
      topology.yaml:3:45: postgres.cpus: expected a number of CPUs from 0.01 to 1024, such as 0.5 or 2, got "0"
        postgres: { memory: 1.5, shm_size: 0, cpus: 0, healthcheck: { interval: 0.0001, timeout: 1e300 } }
                                                    ^
      topology.yaml:3:73: postgres.healthcheck.interval: expected 1ms to 24h, got "0.0001"
        postgres: { memory: 1.5, shm_size: 0, cpus: 0, healthcheck: { interval: 0.0001, timeout: 1e300 } }
                                                                                ^^^^^^
        hint: a number without a unit is seconds
      topology.yaml:3:90: postgres.healthcheck.timeout: expected 1ms to 24h, got "1e+300"
        postgres: { memory: 1.5, shm_size: 0, cpus: 0, healthcheck: { interval: 0.0001, timeout: 1e300 } }
                                                                                                 ^^^^^
        hint: a number without a unit is seconds
      topology.yaml:5:26: balancers[0].memory: expected at most 1024TB, got "1e+30"
          - { name: lb1, memory: 1e30, cpus: -1, restart: allways }
                                 ^^^^
        hint: a number without a unit is bytes
      topology.yaml:5:38: balancers[0].cpus: expected a number of CPUs from 0.01 to 1024, such as 0.5 or 2, got "-1"
          - { name: lb1, memory: 1e30, cpus: -1, restart: allways }
                                             ^^
      topology.yaml:5:51: balancers[0].restart: expected always, unless-stopped, on-failure or no, got "allways"
          - { name: lb1, memory: 1e30, cpus: -1, restart: allways }
                                                          ^^^^^^^
        hint: did you mean "always"?
      topology.yaml:6:26: balancers[1].memory: expected a size such as 512MB, 1g or a number of bytes, got "-5"
          - { name: lb2, memory: -5, postgres: { memory: "99999999999g", healthcheck: { start_period: 999999h } } }
                                 ^^
      topology.yaml:6:50: balancers[1].postgres.memory: expected at most 1024TB, got "99999999999g"
          - { name: lb2, memory: -5, postgres: { memory: "99999999999g", healthcheck: { start_period: 999999h } } }
                                                         ^^^^^^^^^^^^^^
        hint: a number without a unit is bytes
      topology.yaml:6:95: balancers[1].postgres.healthcheck.start_period: expected at most 24h, got "999999h"
          - { name: lb2, memory: -5, postgres: { memory: "99999999999g", healthcheck: { start_period: 999999h } } }
                                                                                                      ^^^^^^^
        hint: a number without a unit is seconds"
    `));
  it('more replicas than the leader has senders for', () =>
    expect(diagnose('cluster_name: shop\nbalancers: [{ name: lb1, replicas: 19 }]\n')).toMatchInlineSnapshot(`
      "topology.yaml:2:36: balancers[0].replicas: max_wal_senders and max_replication_slots not given: 20 is fewer than 21: 19 for the replicas, 2 for a clone and a rejoining node
        balancers: [{ name: lb1, replicas: 19 }]
                                           ^^
        hint: give them under "parameters""
    `));
  it('more containers than a network holds', () =>
    expect(
      diagnose(`
cluster_name: shop
balancers:
${Array.from({ length: 10 }, (_, index) => `  - { name: lb${index}, replicas: 127 }`).join('\n')}
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:3:1: balancers: 1290 containers are more than the 1000 that one network holds
        balancers:
        ^^^^^^^^^
        hint: use several clusters"
    `));
  it('too little memory', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres: { memory: 512 }
balancers: [{ name: lb1, memory: 5MB }]
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:3:21: postgres.memory: expected at least 6MB, got "512"
    postgres: { memory: 512 }
                        ^^^
    hint: a number without a unit is bytes
  topology.yaml:4:34: balancers[0].memory: expected at least 6MB, got "5MB"
    balancers: [{ name: lb1, memory: 5MB }]
                                     ^^^
    hint: a number without a unit is bytes"
`));
  it('changes to ignore in fields that do not exist', () =>
    expect(
      diagnose(`
cluster_name: shop
ignore_changes:
  - balancers[0].primary.memory
  - balancers[*].replicas[*].cpus
  - postgres.parameters.work_mem
  - balancers[0].primary.memroy
balancers: [{ name: lb1 }]
`),
    ).toMatchInlineSnapshot(`
      "topology.yaml:3:1: warning: ignore_changes: read, and not acted on by this version
        ignore_changes:
        ^^^^^^^^^^^^^^
      topology.yaml:7:5: ignore_changes[3]: there is no field balancers[0].primary.memroy
          - balancers[0].primary.memroy
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: did you mean "balancers[*].primary.memory"?"
    `));
  it('mistakes of every kind in one go, in the order of the lines', () =>
    expect(
      diagnose(`
cluster_name: shop
postgres: { imgae: "postgres:16" }
balancers:
  - name: lb1
    port: 99999
    primary: { ip_address: 10.0.0.5, port: 15432 }
    replicas:
      - { node_id: 1, port: 15432 }
      - { node_id: 1 }
`),
    ).toMatchInlineSnapshot(`
  "topology.yaml:3:13: postgres.imgae: unknown key "imgae"
    postgres: { imgae: "postgres:16" }
                ^^^^^
    hint: did you mean "image"?
  topology.yaml:6:11: balancers[0].port: expected a port from 1 to 65535, got "99999"
        port: 99999
              ^^^^^
  topology.yaml:7:28: balancers[0].primary.ip_address: a fixed address needs network.subnet
        primary: { ip_address: 10.0.0.5, port: 15432 }
                               ^^^^^^^^
    hint: give network.subnet, or leave the addresses out
  topology.yaml:9:29: balancers[0].replicas[0].port: the port 15432 is already taken by balancers[0].primary.port
          - { node_id: 1, port: 15432 }
                                ^^^^^
    hint: give each published port a number of its own on its bind_address
  topology.yaml:10:20: balancers[0].replicas[1].node_id: the node_id 1 is already taken by balancers[0].replicas[0].node_id
          - { node_id: 1 }
                       ^
    hint: choose another"
`));
  it('a line as long as a minified file is cut around the place', () => {
    const replicas = Array.from({ length: 15 }, (_, index) => `{"port":${15432 + index}}`).join(',');
    expect(diagnose(`{"cluster_name":"shop","balancers":[{"name":"lb1","replicas":[${replicas},{"port":0}]}]}`))
      .toMatchInlineSnapshot(`
        "topology.yaml:1:296: balancers[0].replicas[15].port: expected a port from 1 to 65535, got "0"
          15443},{"port":15444},{"port":15445},{"port":15446},{"port":0}]}]}
                                                                      ^"
      `);
  });
  it('a file cannot steer the terminal', () =>
    expect(diagnose('cluster_name: "a\\e[31m"\nbalancers: [{ name: "\u001b[2J" }]\n')).toMatchInlineSnapshot(`
    "topology.yaml:1:15: cluster_name: expected a name of at most 40 letters, digits, "_", "." or "-", starting and ending with a letter or digit, got "a\\u001b[31m"
      cluster_name: "a\\e[31m"
                    ^^^^^^^^^
    topology.yaml:2:21: balancers[0].name: expected a name of at most 40 letters, digits, "_", "." or "-", starting and ending with a letter or digit, got "\\u001b[2J"
      balancers: [{ name: "�[2J" }]
                          ^^^^^^"
  `));
  it('tabs, carriage returns and a byte order mark keep the caret in place', () =>
    expect(diagnose('\uFEFF{\r\n\t"cluster_name": "shop",\r\n\t"balancers": [{ "name": "lb1", "port": 0 }]\r\n}\r\n'))
      .toMatchInlineSnapshot(`
      "topology.yaml:3:41: balancers[0].port: expected a port from 1 to 65535, got "0"
        	"balancers": [{ "name": "lb1", "port": 0 }]
        	                                       ^"
    `));
});
