/** What a process holds once it has served so many sessions, after garbage collection, in bytes. */
export interface Measure {
  sessions: number
  heap: number
  /** Of its objects, outside the heap: what typed arrays hold. */
  outside: number
  /** Of the whole process; it says when memory is given back, not what is held. */
  whole: number
}

/**
 * Between the halves: as much as what is remembered goes up and down. Of a million sessions it is 10 bytes for each, and
 * whoever keeps something of each keeps a key of 43 characters in a Map at least, which is 100.
 */
const MOST_GROWTH = 5 * 2 ** 20
/** Above what the process held at its start: 10 000 small records take half of it. */
const MOST_AT_ANY_TIME = 24 * 2 ** 20

/**
 * Flat is what holds no more in its second half than in its first, by medians, and never much. Each bound of what is
 * remembered shows in one of the two: a larger one in what is held, none at all in the growth.
 */
export function judge(start: Measure, measures: readonly Measure[]): { isFlat: boolean; verdict: string } {
  const half = measures.length / 2
  const [early, late] = [measures.slice(0, half), measures.slice(half)]
  const growth = median(late, held) - median(early, held)
  const perSession = growth / (median(late, served) - median(early, served))
  const most = Math.max(...measures.map(held)) - held(start)
  const isFlat = growth <= MOST_GROWTH && most <= MOST_AT_ANY_TIME
  return {
    isFlat,
    verdict:
      `${isFlat ? 'flat' : 'NOT FLAT'}: ${mebibytes(growth)} MiB more in the second half (at most ${mebibytes(MOST_GROWTH)}), ` +
      `${perSession.toFixed(1)} bytes for each session; ` +
      `up to ${mebibytes(most)} MiB above the start (at most ${mebibytes(MOST_AT_ANY_TIME)})`,
  }
}

const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
const held = ({ heap, outside }: Measure) => heap + outside
const served = ({ sessions }: Measure) => sessions

function median(measures: readonly Measure[], figure: (measure: Measure) => number): number {
  const sorted = measures.map(figure).toSorted((left, right) => left - right)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}
