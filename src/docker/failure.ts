import { PgherdError, messageOf, type ErrorCode } from '../base/error.ts';

/** What was asked, for messages: `start container shop-lb1`. */
export type Asked = { readonly what: string; readonly host: string };

type Reading = {
  readonly code: ErrorCode;
  readonly pattern: RegExp;
  readonly remedy: string;
  readonly retry?: boolean;
};

// The engine says some things by text alone. Source: moby 20.10 to 28, daemon and libnetwork.
const readings: readonly Reading[] = [
  {
    code: 'port-taken',
    pattern: /port is already allocated|address already in use|failed to bind (?:host )?port/i,
    remedy: 'give another port in the topology file, or stop what uses it',
  },
  {
    code: 'subnet-overlap',
    pattern: /pool overlaps|overlaps with (?:other|existing)|conflicts with network/i,
    remedy: 'give another subnet in the topology file, or remove the network that holds this one (docker network ls)',
  },
  {
    code: 'subnet-exhausted',
    pattern: /could not find an available|all predefined address pools/i,
    remedy: 'give network.subnet and network.rw_subnet in the topology file, or remove networks nobody uses',
  },
  {
    code: 'address-outside',
    pattern: /no configured subnet|invalid address|not in the|user specified IP address is supported only/i,
    remedy: 'give an address inside the subnet of the network',
  },
  {
    // Killed while it started the container, the engine does not know any more that it did. Seen with 20.10.
    code: 'task-stuck',
    pattern: /task [0-9a-f]+: already exists|id already in use/i,
    remedy: 'remove the container with `docker rm --force`; its volume stays, and the container is made anew',
    retry: true,
  },
  {
    code: 'name-taken',
    pattern: /is already in use by container|network with name .* already exists/i,
    remedy: 'rename or remove what holds the name, or give another name in the topology file',
  },
  {
    code: 'in-progress',
    pattern: /is already in progress|marked for removal|endpoint with name .* already exists/i,
    remedy: 'somebody else does the same: look again when it is done',
    retry: true,
  },
  {
    code: 'network-in-use',
    pattern: /has active endpoints/i,
    remedy: 'disconnect the containers that still use the network (docker network inspect)',
  },
  {
    code: 'volume-in-use',
    pattern: /volume is in use/i,
    remedy: 'remove the containers that still use the volume',
  },
  {
    code: 'not-running',
    pattern: /is not running|is paused|is restarting|container .* (?:has )?stopped/i,
    remedy: 'see `docker logs` of the container',
    retry: true,
  },
];

// An address of a container in use is told with the same words as a port of the host, but for the status.
const addressInUse = /^address already in use$/i;

/** Turns what dockerode or a socket threw into one typed error. */
export function toFailure(thrown: unknown, asked: Asked): PgherdError {
  if (thrown instanceof PgherdError) return thrown;
  const status = statusOf(thrown);
  return status === undefined ? fromSocket(thrown, asked) : fromReply(thrown, status, asked);
}

/** The HTTP status of a rejected dockerode call, undefined where the engine gave none. */
export function statusOf(thrown: unknown): number | undefined {
  return thrown instanceof Error && 'statusCode' in thrown && typeof thrown.statusCode === 'number'
    ? thrown.statusCode
    : undefined;
}

function fromReply(thrown: unknown, status: number, asked: Asked): PgherdError {
  const said = replyText(thrown);
  if (status === 403 && addressInUse.test(said)) {
    return new PgherdError('address-taken', `${asked.what}: its address is in use by another container`, {
      cause: thrown,
      remedy: 'find the holder with `docker network inspect`, or give another address',
    });
  }
  const reading = readings.find(({ pattern }) => pattern.test(said));
  if (reading !== undefined) {
    return new PgherdError(reading.code, `${asked.what}: ${said}`, {
      cause: thrown,
      remedy: reading.remedy,
      retry: reading.retry ?? false,
    });
  }
  // What was seen has gone since, by another step or by hand: another look tells what to do instead.
  if (status === 404) return new PgherdError('not-found', `${asked.what}: ${said}`, { cause: thrown, retry: true });
  return new PgherdError('engine-error', `${asked.what}: ${said}`, { cause: thrown, retry: status >= 500 });
}

function fromSocket(thrown: unknown, asked: Asked): PgherdError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (thrown instanceof Error && thrown.name === 'InterruptedError') {
    return new PgherdError('interrupted', `${asked.what}: called off`, { cause: thrown });
  }
  if (thrown instanceof Error && (thrown.name === 'TimeoutError' || code === 'ABORT_ERR')) {
    return new PgherdError('engine-timeout', `${asked.what}: the engine at ${asked.host} did not answer in time`, {
      cause: thrown,
      remedy: 'see whether the engine is busy or hangs (docker info)',
      retry: true,
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new PgherdError('engine-permission', `no permission to use the Docker engine at ${asked.host}`, {
      cause: thrown,
      remedy: 'run as root or as a member of the docker group, or name another engine with -H',
    });
  }
  // Only a connection that stood can be lost: what was asked may have been done, and another look tells.
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new PgherdError(
      'reply-lost',
      `${asked.what}: the connection to ${asked.host} broke before the answer came`,
      {
        cause: thrown,
        remedy: 'run the command again: it looks at what became of it',
        retry: true,
      },
    );
  }
  return new PgherdError('engine-unreachable', `no Docker engine answers at ${asked.host} (${messageOf(thrown)})`, {
    cause: thrown,
    remedy: 'start it, or name another one with -H, DOCKER_HOST or a docker context',
    retry: true,
  });
}

function replyText(thrown: unknown): string {
  const json = thrown instanceof Error && 'json' in thrown ? thrown.json : undefined;
  if (json !== null && typeof json === 'object' && 'message' in json && typeof json.message === 'string') {
    return json.message.trim();
  }
  return messageOf(thrown).trim();
}
