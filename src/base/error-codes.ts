/** What a code means, and what a person can do where the message itself says nothing better. One line each. */
export type Explanation = { readonly means: string; readonly remedy: string };

/** Why operations fail. The README's table is made of this one. */
export const errorCodes = {
  'engine-unreachable': {
    means: 'no Docker engine answers there',
    remedy: 'start it, or name another one with -H, DOCKER_HOST or a docker context',
  },
  'engine-permission': {
    means: 'the engine is there, and this user may not use it',
    remedy: 'run as root or as a member of the docker group, or name another engine with -H',
  },
  'engine-tls': {
    means: 'the two sides do not agree on TLS, or a certificate is missing, has expired or is for another name',
    remedy: 'see DOCKER_TLS_VERIFY and DOCKER_CERT_PATH (ca.pem, cert.pem, key.pem), or the docker context',
  },
  'engine-too-old': {
    means: 'the engine speaks no version of its API that pgherd does',
    remedy: 'upgrade it to Docker Engine 20.10 or later',
  },
  'engine-timeout': {
    means: 'the engine did not answer in time',
    remedy: 'see whether the engine is busy or hangs (docker info)',
  },
  'engine-error': {
    means: 'the engine refused, for the reason it gives',
    remedy: 'see the log of the engine (journalctl -u docker), and run the command again',
  },
  'reply-lost': {
    means: 'the connection broke before the answer came: nobody knows whether it was done',
    remedy: 'run the command again: it looks at what became of it',
  },
  'no-space': {
    means: 'a disk is full: of the engine, or of a server',
    remedy: 'free space on the disk of the engine (docker system df, df -i); pgherd removes no data by itself',
  },
  'no-memory': {
    means: "the engine's host has no memory, no process or no open file left to give",
    remedy: 'free some (docker stats), or ask for less: memory, shared_buffers, max_connections',
  },
  'not-found': {
    means: 'what was asked for is not there, or went away meanwhile',
    remedy: 'see `pgherd status`, and run the command again: it looks anew',
  },
  ambiguous: {
    means: 'the name is that of several things',
    remedy: 'say which one is meant: --cluster, a container, or the path of one file',
  },
  'name-taken': {
    means: "something that is not pgherd's has the name",
    remedy: 'rename or remove what holds the name, or give another name in the topology file',
  },
  'port-taken': {
    means: 'the port of the host is in use',
    remedy: 'give another port in the topology file, or stop what uses it',
  },
  'address-taken': {
    means: 'another container has the address',
    remedy: 'find the holder with `docker network inspect`, or give another address',
  },
  'subnet-overlap': {
    means: 'another network has addresses of the subnet',
    remedy: 'give another subnet in the topology file, or remove the network that holds this one (docker network ls)',
  },
  'subnet-exhausted': {
    means: 'the engine has no subnet left to choose',
    remedy: 'give network.subnet and network.rw_subnet in the topology file, or remove networks nobody uses',
  },
  'address-outside': {
    means: 'the address is not of the subnet of its network',
    remedy: 'give an address inside the subnet of the network',
  },
  'network-in-use': {
    means: 'containers are still on the network',
    remedy: 'disconnect the containers that still use the network (docker network inspect)',
  },
  'volume-in-use': {
    means: 'containers still use the volume',
    remedy: 'remove the containers that still use the volume',
  },
  'image-missing': {
    means: 'the image is not on the engine, and cannot be pulled',
    remedy: 'pull or build it, or give another image in the topology file',
  },
  'in-progress': {
    means: 'somebody else is doing the same, or what was asked for is so already',
    remedy: 'look again when it is done',
  },
  'task-stuck': {
    means: 'the engine, killed while it started a container, does not know any more that it did',
    remedy: 'remove the container with `docker rm --force`; its volume stays, and the container is made anew',
  },
  'not-running': {
    means: 'the container does not run, so nothing can be asked of it',
    remedy: 'see `docker logs` of the container',
  },
  'lock-lost': {
    means: 'the lock of the cluster is no longer ours; nothing more is changed',
    remedy: 'run the command again',
  },
  'secret-missing': {
    means: 'the file or variable that should hold a password does not',
    remedy: 'put it there, or let pgherd make one: `password: { generate: true }`',
  },
  'edit-refused': {
    means: 'a file cannot be changed the way it was asked for',
    remedy: 'edit the file by hand, and run `pgherd reconcile --once`',
  },
  'node-failed': {
    means: 'a server or balancer does not do what it must; its last words are in the message',
    remedy: 'see `docker logs` of the container, and `pgherd status`',
  },
  interrupted: {
    means: 'it was called off, by Ctrl-C or SIGTERM',
    remedy: 'run the command again: it goes on from where it stopped',
  },
} as const satisfies Readonly<Record<string, Explanation>>;

/** Why an operation failed, for people and for programs. */
export type ErrorCode = keyof typeof errorCodes;
