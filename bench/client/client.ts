// How fast is the client of memcached alone, and how fast are others? npm run client
import { leaveOneCore } from '../lib/cores.ts'
import { verdictTable } from '../lib/report.ts'
import { readRounds } from '../lib/settings.ts'
import { installTools } from '../lib/tools.ts'
import { clientTable } from './client-table.ts'
import { measureClients } from './measure-clients.ts'
import { judgeClients } from './target.ts'

installTools()
leaveOneCore()
const measurements = await measureClients(readRounds(5))
console.log(`${clientTable(measurements)}\n\n${verdictTable(judgeClients(measurements))}`)
