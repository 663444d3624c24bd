import { PgherdError, messageOf, type ErrorCode } from '../base/error.ts';

/** What was asked, for messages: `start container shop-lb1`. */
export type Asked = { readonly what: string; readonly host: string };

type Reading = {
  readonly code: ErrorCode;
  readonly pattern: RegExp;
  /** Where the code's own does not help. */
  readonly remedy?: string;
  readonly retry?: boolean;
};

// The engine says some things by text alone. Source: moby 20.10 to 28, daemon and libnetwork; runc. First come, first served.
const readings: readonly Reading[] = [
  { code: 'port-taken', pattern: /port is already allocated|address already in use|failed to bind (?:host )?port/i },
  {
    code: 'engine-error',
    pattern: /driver failed programming external connectivity|iptables failed|no chain\/target\/match by that name/i,
    remedy: 'restart the engine: something took its firewall rules away (a reload of firewalld or nftables)',
    retry: true,
  },
  { code: 'subnet-overlap', pattern: /pool overlaps|overlaps with (?:other|existing)|conflicts with network/i },
  { code: 'subnet-exhausted', pattern: /could not find an available|all predefined address pools/i },
  {
    code: 'address-outside',
    pattern: /no configured subnet|invalid address|not in the|user specified IP address is supported only/i,
  },
  // Killed while it started the container, the engine does not know any more that it did. Seen with 20.10.
  { code: 'task-stuck', pattern: /task [0-9a-f]+: already exists|id already in use/i, retry: true },
  { code: 'name-taken', pattern: /is already in use by container|network with name .* already exists/i },
  {
    code: 'in-progress',
    // The last: something wrote into it while it was removed. Seen with 20.10.
    pattern:
      /is already in progress|marked for removal|endpoint with name .* already exists|root filesystem: .*directory not empty/i,
    remedy: 'somebody else does the same: look again when it is done',
    retry: true,
  },
  { code: 'network-in-use', pattern: /has active endpoints/i },
  { code: 'volume-in-use', pattern: /volume is in use/i },
  {
    code: 'not-running',
    pattern: /is not running|is paused|is restarting|container .* (?:has )?stopped/i,
    retry: true,
  },
  { code: 'no-space', pattern: /no space left on device|disk quota exceeded/i, retry: true },
  {
    code: 'no-memory',
    pattern: /cannot allocate memory|too many open files|resource temporarily unavailable/i,
    retry: true,
  },
  {
    code: 'engine-error',
    pattern: /read-only file system/i,
    remedy: 'see why the disk of the engine takes no writes (dmesg), and mount it anew',
    retry: true,
  },
  {
    code: 'engine-error',
    pattern: /minimum memory limit allowed|memory limit .* (?:too low|lower)|range of cpus/i,
    remedy: 'give other limits in the topology file (memory, cpus)',
  },
  {
    code: 'engine-error',
    pattern: /exec format error|does not match the (?:specified|detected) (?:host )?platform/i,
    remedy: "the image is for another platform: pull or build it for the engine's own (docker version)",
  },
  {
    code: 'engine-error',
    pattern: /docker-init/i,
    remedy: 'install docker-init on the host of the engine; it comes with the packages of Docker and of Debian',
  },
  {
    code: 'engine-error',
    pattern: /executable file not found|OCI runtime create failed.*no such file or directory/i,
    remedy: 'the image lacks a program that pgherd runs: name one with the layout of the official image',
  },
  {
    code: 'engine-error',
    pattern: /OCI runtime (?:create|start|exec) failed|failed to create (?:shim|task)/i,
    remedy: 'see the log of the engine (journalctl -u docker): it cannot run this container on its host',
    retry: true,
  },
  {
    code: 'engine-tls',
    pattern: /HTTP request to an HTTPS server/i,
    remedy: 'the engine wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH',
  },
];

// An address of a container in use is told with the same words as a port of the host, but for the status.
const addressInUse = /^address already in use$/i;

// Of OpenSSL and of Node's own checks. Source: https://nodejs.org/api/tls.html#x509-certificate-error-codes
const tlsCodes = /^EPROTO$|^ERR_SSL|^ERR_TLS|CERT|^UNABLE_TO_|^HOSTNAME_MISMATCH$/;

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
    });
  }
  const reading = readings.find(({ pattern }) => pattern.test(said));
  if (reading !== undefined) {
    return new PgherdError(reading.code, `${asked.what}: ${said}`, {
      cause: thrown,
      ...(reading.remedy === undefined ? {} : { remedy: reading.remedy }),
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
      retry: true,
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new PgherdError('engine-permission', `no permission to use the Docker engine at ${asked.host}`, {
      cause: thrown,
    });
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    return new PgherdError('no-memory', `${asked.what}: pgherd itself may open no more files`, {
      cause: thrown,
      remedy: 'raise its limit (ulimit -n, LimitNOFILE= of the unit)',
      retry: true,
    });
  }
  if (typeof code === 'string' && tlsCodes.test(code)) {
    return new PgherdError('engine-tls', `no TLS with the Docker engine at ${asked.host} (${messageOf(thrown)})`, {
      cause: thrown,
      ...(code === 'EPROTO' || code.startsWith('ERR_SSL')
        ? { remedy: 'one side speaks TLS and the other does not: see DOCKER_TLS_VERIFY, and the port of the engine' }
        : {}),
    });
  }
  // Only a connection that stood can be lost: what was asked may have been done, and another look tells.
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new PgherdError(
      'reply-lost',
      `${asked.what}: the connection to ${asked.host} broke before the answer came`,
      {
        cause: thrown,
        retry: true,
      },
    );
  }
  return new PgherdError('engine-unreachable', `no Docker engine answers at ${asked.host} (${messageOf(thrown)})`, {
    cause: thrown,
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
