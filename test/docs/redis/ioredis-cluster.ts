import { RedisStore } from 'holdfast/redis'
import { Cluster } from 'ioredis' // or from 'iovalkey'

const { SESSION_NODES = '10.0.0.1:6380,10.0.0.2:6380,10.0.0.3:6380', SESSION_PASSWORD = '' } = process.env

const nodes = SESSION_NODES.split(',').map((node) => new URL(`redis://${node}`))
export const client = new Cluster(
  nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port) })),
  { redisOptions: { username: 'sessions', password: SESSION_PASSWORD } },
)
client.on('error', () => {})

export const store = new RedisStore(client)
