import {
  endsOf,
  isAcknowledged,
  isOpen,
  isSignIn,
  mayBeDone,
  mayBeEnded,
  repeatedSignIns,
  signInsOf,
  userOf,
  type Entry,
  type History,
  type Listed,
} from './history.ts'

/** What is taken back of a sign-in that was refused is not waited for. */
const TAKEN_BACK_MS = 700

interface Lister extends Entry {
  listed: Listed[]
}

/**
 * What a history shows of users that must not be, a sentence each: a session is listed from its sign-in's answer to its
 * end, under one id; none that ended comes back; and a repeated sign-in makes one session.
 */
export function findUserFaults(history: History): string[] {
  const listers = history.filter(
    (entry): entry is Lister => entry.status === 200 && entry.listed !== undefined,
  )
  return [
    ...findForks(history),
    ...listers.flatMap((lister) => findWrongLines(lister, history)),
    ...findReturned(listers),
  ]
}

/** However often the button is clicked, and in whatever order the answers arrive (E7). */
function findForks(history: History): string[] {
  const signIns = history.filter((entry) => isSignIn(entry) && isAcknowledged(entry))
  return signIns.flatMap((signIn, index) =>
    repeatedSignIns(signIn, signIns.slice(0, index))
      .filter(({ setCookie }) => setCookie !== signIn.setCookie)
      .filter(({ setCookie }) => !mayBeEnded(setCookie!, signIn.ended, history))
      .map(({ id }) => `${signIn.id} was given another token than ${id}, for the same session`),
  )
}

function findWrongLines(lister: Lister, history: History): string[] {
  const user = lister.steps.flatMap((step) => (step.type === 'list' ? step.user : []))[0]
  const signIns = history.filter((entry) => userOf(entry) === user)
  const ids = new Set<string | undefined>(signIns.map(({ id }) => id))
  const labels = lister.listed.map(({ label }) => label)
  const wrong = labels.filter((label) => !ids.has(label)).map((label) => `${label}, who never signed in`)
  for (const [index, label] of labels.entries()) {
    if (labels.indexOf(label) < index) wrong.push(`${label} twice`)
  }
  for (const signIn of signIns) {
    const what = labels.includes(signIn.id)
      ? whyNotListed(signIn, lister, history)
      : whyListed(signIn, lister, history)
    if (what !== undefined) wrong.push(what)
  }
  const current = lister.listed.filter(({ isCurrent }) => isCurrent)
  for (const { label } of current) {
    if (!labelsOf(lister.token, history).includes(label)) wrong.push(`${label} as its own session`)
  }
  return wrong.map((what) => `${lister.id} lists ${what}`)
}

/** Of a sign-in that is listed. */
function whyNotListed(signIn: Entry, lister: Lister, history: History): string | undefined {
  const { id, setCookie } = signIn
  if (signIn.began > lister.ended) return `${id}, which had not begun`
  if (signIn.events.includes('store-error')) return undefined
  if (!mayBeDone(signIn) && signIn.ended + TAKEN_BACK_MS < lister.began) return `${id}, which was refused`
  if (!setCookie || signIn.ended > lister.began) return undefined
  const end = endsOf(setCookie, lister.began, history).find((entry) => leavesList(entry))
  if (end) return `${id}, which ${end.id} had ended`
  const another = signInsOf(setCookie, history).find(
    (entry) =>
      entry !== signIn &&
      entry.ended < lister.began &&
      !entry.events.includes('store-error') &&
      lister.listed.some(({ label }) => label === entry.id),
  )
  return another && `${id} and ${another.id}, which are one session`
}

/** Of a sign-in that is not. */
function whyListed(signIn: Entry, lister: Lister, history: History): string | undefined {
  const { id, setCookie, ended } = signIn
  if (!setCookie || !isAcknowledged(signIn) || ended > lister.began) return undefined
  if (mayBeEnded(setCookie, lister.ended, history)) return undefined
  const labels = labelsOf(setCookie, history)
  if (lister.listed.some(({ label }) => labels.includes(label))) return undefined
  return `no ${id}, which nothing had ended`
}

/** Under which the token's session can be listed: of sign-ins over one session, one is, and its answer may be lost. */
function labelsOf(token: string, history: History): (string | undefined)[] {
  const signIns = signInsOf(token, history)
  const repeated = signIns.slice(0, 1).flatMap((signIn) => repeatedSignIns(signIn, history).filter(isOpen))
  return [...signIns, ...repeated].map(({ id }) => id)
}

/** A sign-out's entry stays where the store fails (E5); a session with a new token keeps its own. */
function leavesList({ steps, events }: Entry): boolean {
  if (steps.some(({ type }) => type === 'revoke' || type === 'revoke-others')) return true
  return steps.some(({ type }) => type === 'destroy') && !events.includes('store-error')
}

/** A revoked id never comes back (E9). */
function findReturned(listers: readonly Lister[]): string[] {
  return listers.flatMap((lister) =>
    lister.listed.flatMap(({ id, label }) => {
      const lists = (each: Lister) => each.listed.some((line) => line.id === id)
      const gone = listers.find(
        (each) =>
          each.ended < lister.began &&
          !lists(each) &&
          listers.some((earlier) => earlier.ended < each.began && lists(earlier)),
      )
      return gone ? [`${lister.id} lists ${label}, which was gone from ${gone.id}`] : []
    }),
  )
}
