// One process of a race on a SQLite file. Each line on stdin says a leg of it and when to begin, in milliseconds since
// the epoch; it answers with what came of that, in a line of JSON.
import { createInterface } from 'node:readline'
import type { Version } from 'holdfast'
import { SqliteStore } from '../../examples/sqlite/sqlite-store.ts'

export type Leg = keyof typeof legs

const [file, name, laps] = process.argv.slice(2) as [string, string, string]
const store = await SqliteStore.open(file)
const keys = Array.from({ length: Number(laps) }, (_, lap) => `lap${lap}`.padStart(43, 'k'))
const counter = 'counter'.padStart(43, 'k')
const bytes = new TextEncoder().encode(name)
let versions: Version[] = []

const legs = {
  add: (startAt: number) =>
    inStep(startAt, async (key) => ((await store.add(key, bytes, 100)) === undefined ? 'taken' : 'added')),
  async read() {
    const records = await Promise.all(keys.map((key) => store.get(key, 100)))
    versions = records.map((record) => record?.version)
    return records.map((record) => new TextDecoder().decode(record?.bytes))
  },
  replace: (startAt: number) =>
    inStep(startAt, async (key, lap) => (await store.replace(key, bytes, 100, versions[lap])).outcome),
  /** Says how often it raised the counter: a few times in a row, so that the two are at it together. */
  async count(startAt: number) {
    await store.add(counter, Uint8Array.of(0, 0), 100)
    const raised = await inStep(startAt, async () => {
      for (let times = 0; times < 5; times++) await raise()
      return 5
    })
    return raised.reduce((sum, times) => sum + times)
  },
  total: async () => numberIn((await store.get(counter, 100))!.bytes),
}

/** Both processes come to each key in the same millisecond, without sleeping, and leave each other time to finish. */
async function inStep<Result>(
  startAt: number,
  operate: (key: string, lap: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (const [lap, key] of keys.entries()) {
    while (Date.now() < startAt + lap * 3);
    results.push(await operate(key, lap))
  }
  return results
}

async function raise(): Promise<void> {
  for (;;) {
    const { bytes, version } = (await store.get(counter, 100))!
    const raised = numberIn(bytes) + 1
    const { outcome } = await store.replace(counter, Uint8Array.of(raised >> 8, raised & 255), 100, version)
    if (outcome === 'replaced') return
  }
}

function numberIn(bytes: Uint8Array): number {
  return bytes[0]! * 256 + bytes[1]!
}

console.log('"ready"')
for await (const line of createInterface(process.stdin)) {
  const { leg, startAt } = JSON.parse(line) as { leg: Leg; startAt: number }
  console.log(JSON.stringify((await legs[leg](startAt)) ?? null))
}
await store.close()
