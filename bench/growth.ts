// What stays flat and what grows: npm run growth
import { measureBundles } from './bundles.ts'
import { describeEnvironment, readEnvironment } from './environment.ts'
import { growthChart } from './growth-chart.ts'
import { measureGrowth } from './measure-growth.ts'
import { measureHeap } from './measure-heap.ts'
import { growthTable } from './report.ts'
import { saveResults } from './results.ts'
import { readRounds } from './settings.ts'
import { table } from './table.ts'
import { installTools } from './tools.ts'

installTools()
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
