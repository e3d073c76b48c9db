import { RedisStore } from 'holdfast/redis'
import { createCluster } from 'redis'

const { SESSION_NODES = '10.0.0.1:6380,10.0.0.2:6380,10.0.0.3:6380', SESSION_PASSWORD = '' } = process.env

export const client = createCluster({
  rootNodes: SESSION_NODES.split(',').map((node) => ({ url: `redis://${node}` })),
  defaults: {
    username: 'sessions',
    password: SESSION_PASSWORD,
    socket: { reconnectStrategy: (tries) => Math.min(tries * 50, 1000) },
  },
})
client.on('error', () => {})
await client.connect()

export const store = new RedisStore(client)
