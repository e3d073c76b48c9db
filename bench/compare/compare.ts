// What does a request cost with holdfast, and with its peers? npm run bench
// Ends with 1 when a target that must hold does not. ROUNDS, ONLY, SCENARIOS and BASELINE choose.
import { clientTable } from '../client/client-table.ts'
import { measureClients } from '../client/measure-clients.ts'
import { judgeClients } from '../client/target.ts'
import { leaveOneCore } from '../lib/cores.ts'
import { describeEnvironment, readEnvironment } from '../lib/environment.ts'
import { verdictTable } from '../lib/report.ts'
import { saveResults } from '../lib/results.ts'
import { pick, readRounds } from '../lib/settings.ts'
import { installTools } from '../lib/tools.ts'
import { compareChart } from './chart.ts'
import { measure, type Measurement } from './measure.ts'
import { offeredGroups } from './peers.ts'
import { scenarios as allScenarios } from './scenarios.ts'
import { serverTable } from './server-table.ts'
import { judge } from './targets.ts'

const startedAt = performance.now()
installTools()
leaveOneCore()
const rounds = readRounds(5)
const groups = offeredGroups()
const peers = pick(
  'ONLY',
  groups.flatMap((group) => group.peers),
)
const scenarios = pick('SCENARIOS', allScenarios)
const isWhole = process.env['ONLY'] === undefined && process.env['SCENARIOS'] === undefined

const environment = readEnvironment('npm run bench')
const caption = describeEnvironment(environment)
console.log(`${caption}\n`)
const measurements: Measurement[] = []
for (const group of groups) {
  const chosen = { ...group, peers: group.peers.filter((peer) => peers.includes(peer)) }
  if (chosen.peers.length === 0) continue
  measurements.push(...(await measure(chosen, scenarios, rounds, (done) => console.log(done))))
}
const clients = isWhole ? await measureClients(rounds) : []
const verdicts = [...judge(peers, measurements), ...(isWhole ? judgeClients(clients) : [])]

console.log(`\n${serverTable(peers, scenarios, measurements)}\n`)
if (isWhole) console.log(`${clientTable(clients)}\n`)
if (verdicts.length > 0) {
  console.log(`All ratios are medians of the rounds' own ratios (least–most).\n\n${verdictTable(verdicts)}`)
}
const minutes = (performance.now() - startedAt) / 60_000
if (isWhole) {
  await saveResults(
    'compare',
    {
      environment,
      rounds,
      minutes,
      verdicts,
      servers: measurements.map(withLists),
      clients: clients.map(withLists),
    },
    compareChart(peers, scenarios, measurements, caption),
  )
}
console.log(`\n${rounds} rounds in ${minutes.toFixed(1)} minutes`)
const failed = verdicts.filter(({ outcome }) => outcome === 'FAILS')
if (failed.length > 0) {
  console.error(`must hold, and does not:\n${failed.map(({ target }) => target).join('\n')}`)
  process.exitCode = 1
}

/** With a list for each figure, one entry a round, in place of the rounds. */
function withLists({ rounds, ...of }: { rounds: readonly object[] }): object {
  const lists = Object.keys(rounds[0]!).map((name) => [
    name,
    rounds.map((round) => (round as Record<string, number>)[name]),
  ])
  return { ...of, ...Object.fromEntries(lists) }
}
