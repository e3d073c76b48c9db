// What stays flat and what grows, with more data, sessions, servers and requests? npm run growth
import { leaveOneCore } from '../lib/cores.ts'
import { describeEnvironment, readEnvironment } from '../lib/environment.ts'
import { saveResults } from '../lib/results.ts'
import { readRounds } from '../lib/settings.ts'
import { table } from '../lib/table.ts'
import { installTools } from '../lib/tools.ts'
import { measureBundles } from './bundles.ts'
import { growthChart } from './chart.ts'
import { growthTable } from './growth-table.ts'
import { measureGrowth } from './measure-growth.ts'
import { measureHeap } from './measure-heap.ts'

installTools()
leaveOneCore()
const environment = readEnvironment('npm run growth')
const caption = describeEnvironment(environment)
console.log(`${caption}\n`)
const bundles = await measureBundles()
console.log(
  `${table(
    ['bundle, without the framework', 'minified', 'gzipped'],
    bundles.map(({ name, minified, gzipped }) => [name, `${minified} bytes`, `${gzipped} bytes`]),
  )}\n`,
)
const heap = await measureHeap(1_000_000)
console.log(
  `MemoryStore with ${heap.sessions} sessions, each a record of ${heap.recordBytes} bytes: ${heap.heapBytes.toFixed(0)} bytes of heap and ${heap.bufferBytes.toFixed(0)} of buffers a session\n`,
)
const curves = await measureGrowth(readRounds(3), (done) => console.log(done))
for (const curve of curves) console.log(`\n${growthTable(curve)}`)
await saveResults('growth', { environment, bundles, heap, curves }, growthChart(curves, caption))
