/**
 * How many of a balancer's readers may stand for one replica while others are down; the rest refuse until they are
 * back. Bounded, so that `max_connections` need not grow with every replica, which would restart all of them.
 */
export const readersPerReplica = 2;
