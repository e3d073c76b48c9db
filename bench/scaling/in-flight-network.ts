// A memcached behind a network whose round trip takes ROUND_TRIP_MS, for in-flight.ts; in a process of their own.
import { startFaultProxy } from '../../test/support/fault-proxy.ts'
import { startMemcached } from '../../test/support/memcached.ts'

const server = await startMemcached({ args: ['-m', '256'] })
const proxy = await startFaultProxy(server)
proxy.fault = { type: 'latency', ms: Number(process.env['ROUND_TRIP_MS']) }
process.once('disconnect', () => void server.stop().then(() => process.exit()))
process.send!(proxy.address)
