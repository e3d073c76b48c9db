import { ratioText, type Verdict } from '../lib/report.ts'
import { figureOf } from '../lib/statistics.ts'
import type { ClientMeasurement } from './measure-clients.ts'

const target = { atLeast: 1.6, stretch: 3 }

/** Judges what is asked of the client alone. */
export function judgeClients(measurements: readonly ClientMeasurement[]): Verdict[] {
  const [ours, theirs] = ['holdfast', 'memjs'].map((name) =>
    measurements.find(({ client }) => client === name)!,
  )
  const ratio = figureOf(
    ours!.rounds.map(({ perSecond }, round) => perSecond / theirs!.rounds[round]!.perSecond),
  )
  const { atLeast, stretch } = target
  return [
    {
      target: "client alone: get-and-touch of holdfast / memjs's get, a second",
      asked: `≥ ${atLeast.toFixed(2)} (stretch ${stretch.toFixed(2)})`,
      measured: ratioText(ratio),
      outcome: ratio.median >= stretch ? 'stretch' : ratio.median >= atLeast ? 'holds' : 'falls short',
    },
  ]
}
