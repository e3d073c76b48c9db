// Clients of memcached alone: npm run client
import { measureClients } from './measure-clients.ts'
import { clientTable, verdictTable } from './report.ts'
import { readRounds } from './settings.ts'
import { judgeClients } from './targets.ts'
import { installTools } from './tools.ts'

installTools()
const measurements = await measureClients(readRounds(5))
console.log(`${clientTable(measurements)}\n\n${verdictTable(judgeClients(measurements))}`)
