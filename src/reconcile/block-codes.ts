import type { Explanation } from '../base/error-codes.ts';

/** Why something is blocked: what only a human can decide. The README's table is made of this one. */
export const blockCodes = {
  paused: { means: 'the cluster is paused: nothing but looking is done', remedy: '`pgherd resume CLUSTER`' },
  'name-taken': {
    means: "a container or network that is not pgherd's has the name",
    remedy: 'give another name in the file, or remove what holds it if nobody needs it',
  },
  'container-busy': {
    means:
      'another call to the engine holds a container, such as `docker cp`: nothing can be read of it, or done to it',
    remedy:
      'wait for the end of that call, or end it; all else goes on, but nobody takes over from a leader that is held',
  },
  'subnet-overlap': {
    means: 'another network has addresses of the subnet in the file',
    remedy: 'give another subnet, or remove that network if nobody needs it',
  },
  'subnet-changed': {
    means: 'the file says another subnet than the network has, and a live one cannot change',
    remedy: 'put the old one back, or `pgherd destroy` (volumes are kept) and reconcile',
  },
  'record-missing': {
    means: 'volumes hold data, and none says who leads',
    remedy: 'put back pgherd/record in the volume from a backup of it',
  },
  'data-not-in-file': {
    means: 'a group would begin empty, beside a volume of a node that the file does not name',
    remedy: 'put that node back into the file, or remove the volume if nobody needs its data',
  },
  'leader-data-gone': {
    means: "the leader's volume is gone or empty, and nobody else can take over",
    remedy: 'put the volume back from a backup',
  },
  'other-system': {
    means: "a node's volume holds the data of another cluster",
    remedy: 'move that volume away if its data is needed, else remove container and volume; the node is cloned anew',
  },
  'manual-failover': {
    means: 'the leader is gone, and failover.mode is manual',
    remedy: '`pgherd failover GROUP` promotes another node',
  },
  'second-writer': {
    means: "another node takes writes than the record's leader, which does not serve: it may hold the only live copy",
    remedy: '`pgherd failover GROUP --to NODE` has it lead, with all that it acknowledged; or stop it',
  },
  'no-candidate': {
    means: 'nobody can take over: no other node streams, or has a whole copy',
    remedy: 'bring a replica back, or restore the leader',
  },
  'not-received': {
    means: 'the leader was stopped to hand over, and the other one lacks its last word',
    remedy: 'see `pgherd status`: it is done as soon as one streams',
  },
  'not-the-most-advanced': {
    means: 'another node has more than the one that was named',
    remedy: 'promote that one, or accept the loss with --allow-data-loss',
  },
  incomplete: {
    means: 'a node that may have more than the others cannot be asked',
    remedy: 'bring it or the leader back, or `pgherd failover GROUP --allow-data-loss`',
  },
  'too-far-behind': {
    means: 'who has most lags more than failover.max_lag',
    remedy: 'bring the leader back, or `pgherd failover GROUP --allow-data-loss`',
  },
  'quorum-lost': {
    means: 'too few of the replicas that commits waited for can be asked',
    remedy: 'bring them or the leader back, or `pgherd failover GROUP --allow-data-loss`',
  },
  'settings-refused': {
    means: "a node's server does not know a parameter of the file, or a value of one; it goes on with those of before",
    remedy: 'put it right in the file',
  },
  'change-waits': {
    means: 'nodes are to be restarted for a change of the file, and another node of their group does not come up',
    remedy: 'put right what keeps that one from starting, or take the change back',
  },
  'removal-waits': {
    means:
      'a replica that leaves the file may hold what was acknowledged, and too few others stream to have it as well',
    remedy: 'bring the other replicas back, or put it back into the file',
  },
} as const satisfies Readonly<Record<string, Explanation>>;

export type BlockCode = keyof typeof blockCodes;
