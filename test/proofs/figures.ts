import { ownRuntime } from '../support/process.ts'
import { isAcknowledged, isChange, isSignIn, type History } from './history.ts'

/** What many runs of a proof came to, in one line. */
export function figuresOf(title: string, histories: readonly History[], milliseconds: number): string {
  const writers = histories
    .flat()
    .filter((entry) => isChange(entry) && (entry.token !== '' || isSignIn(entry)))
  const refused = writers.filter(({ status }) => status === 503)
  const outages = refused.filter(({ events }) => events.includes('store-error'))
  const attempts = writers.map(({ events }) => 1 + events.filter((event) => event === 'conflict').length)
  const times = writers.map(({ began, ended }) => ended - began).toSorted((left, right) => left - right)
  return [
    `${title} on ${ownRuntime}: ${histories.length} runs in ${(milliseconds / 1000).toFixed(1)} s`,
    `${writers.length} writers, ${writers.filter(isAcknowledged).length} acknowledged`,
    `${outages.length} told of an outage, ${refused.length - outages.length} of a conflict`,
    `at most ${attempts.reduce((most, each) => Math.max(most, each), 0)} attempts`,
    `p50 ${percentile(0.5, times)} ms, p99 ${percentile(0.99, times)} ms, at most ${percentile(1, times)} ms`,
  ].join('; ')
}

function percentile(share: number, sorted: readonly number[]): string {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0)
}
