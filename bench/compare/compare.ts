// What does a request cost with holdfast, and with its peers? npm run bench
import { clientTable } from '../client/client-table.ts'
import { measureClients } from '../client/measure-clients.ts'
import { judgeClients } from '../client/target.ts'
import { describeEnvironment, readEnvironment } from '../lib/environment.ts'
import { verdictTable } from '../lib/report.ts'
import { saveResults } from '../lib/results.ts'
import { pick, readRounds } from '../lib/settings.ts'
import { installTools } from '../lib/tools.ts'
import { compareChart } from './chart.ts'
import { measure } from './measure.ts'
import { offeredPeers } from './peers.ts'
import { scenarios as allScenarios } from './scenarios.ts'
import { serverTable } from './server-table.ts'
import { judge } from './targets.ts'

installTools()
const rounds = readRounds(5)
const peers = pick('ONLY', offeredPeers())
const scenarios = pick('SCENARIOS', allScenarios)
const isWhole = process.env['ONLY'] === undefined && process.env['SCENARIOS'] === undefined

const environment = readEnvironment('npm run bench')
const caption = describeEnvironment(environment)
console.log(`${caption}\n`)
const measurements = await measure(peers, scenarios, rounds, (done) => console.log(done))
const clients = isWhole ? await measureClients(rounds) : []
const verdicts = [...judge(peers, measurements), ...(isWhole ? judgeClients(clients) : [])]

console.log(`\n${serverTable(peers, scenarios, measurements)}\n`)
if (isWhole) console.log(`${clientTable(clients)}\n`)
if (verdicts.length > 0) {
  console.log(`All ratios are medians of the rounds' own ratios (least–most).\n\n${verdictTable(verdicts)}`)
}
if (isWhole) {
  await saveResults(
    'compare',
    {
      environment,
      verdicts,
      servers: measurements.map(withLists),
      clients: clients.map(withLists),
    },
    compareChart(peers, scenarios, measurements, caption),
  )
}

/** With a list for each figure, one entry a round, in place of the rounds. */
function withLists({ rounds, ...of }: { rounds: readonly object[] }): object {
  const lists = Object.keys(rounds[0]!).map((name) => [
    name,
    rounds.map((round) => (round as Record<string, number>)[name]),
  ])
  return { ...of, ...Object.fromEntries(lists) }
}
